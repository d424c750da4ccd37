package admin

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jobgraph/upstream/poll"
)

// WatchTogether shows what the poller does for a fleet; without one all of it is 0.
func (m *Metrics) WatchTogether(stats func() poll.FleetStats) {
	count := func(name, help string, value func(poll.FleetStats) int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value(stats())) })
	}
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "jobgraph_fleet_leases",
			Help: "Tokens whose watched jobs this instance polls for all instances.",
		}, func() float64 { return float64(stats().Leases) }),
		count("jobgraph_fleet_takeovers_total", "Leases that this instance took when another's had ended.",
			func(s poll.FleetStats) int64 { return s.Takeovers }),
		count("jobgraph_fleet_published_total", "States of watched jobs that this instance published for others.",
			func(s poll.FleetStats) int64 { return s.Published }),
		count("jobgraph_fleet_received_total", "States of watched jobs that another instance published.",
			func(s poll.FleetStats) int64 { return s.Received }),
		count("jobgraph_fleet_wakes_total", "Callbacks of the job API that came to another instance.",
			func(s poll.FleetStats) int64 { return s.Wakes }))
}

// Slots shows this instance's share of the calls that the fleet may make at the same time; all without one.
func (m *Metrics) Slots(slots func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "jobgraph_fleet_slots",
		Help: "This instance's share of --upstream-concurrency, which the instances have together.",
	}, func() float64 { return float64(slots()) }))
}

// Pauses shows how often another instance told of a caller that the job API told to wait; 0 without one.
func (m *Metrics) Pauses(heard func() int64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "jobgraph_fleet_pauses_total",
		Help: "Tokens and accounts that the job API told another instance to have wait, by 429 and Retry-After.",
	}, func() float64 { return float64(heard()) }))
}

// LookedUp counts a lookup in the second tier.
func (m *Metrics) LookedUp(outcome string) { m.fleetLookups.WithLabelValues(outcome).Inc() }

// CommandDone is fleet.Observer's.
func (m *Metrics) CommandDone(outcome string, took time.Duration) {
	m.fleetCommands.WithLabelValues(outcome).Observe(took.Seconds())
}

// Available is fleet.Observer's.
func (m *Metrics) Available(available bool) {
	m.fleetAvailable.Set(0)
	if available {
		m.fleetAvailable.Set(1)
	}
}
