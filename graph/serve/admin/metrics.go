package admin

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the program's Prometheus metrics. No label holds anything that a
// caller wrote. It is an upstream.Observer.
type Metrics struct {
	registry          *prometheus.Registry
	operations        *prometheus.HistogramVec
	answersShared     *prometheus.CounterVec
	upstreamCalls     *prometheus.HistogramVec
	upstreamInFlight  prometheus.Gauge
	upstreamRetries   prometheus.Counter
	upstreamCoalesced prometheus.Counter
	upstreamRefused   *prometheus.CounterVec
	breakerOpen       prometheus.Gauge
	breakerOpenTokens prometheus.Gauge
	malformedJobs     prometheus.Counter
	unrecognizedEnums *prometheus.CounterVec
	logins            *prometheus.CounterVec
}

// NewMetrics returns metrics in a registry of their own, the Go runtime's among them.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		operations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "jobgraph_operation_seconds",
			Help:    "GraphQL answers by outcome: OK, or extensions.code of the first error; and, with --trusted-documents, by the document's operation.",
			Buckets: prometheus.DefBuckets,
		}, []string{"outcome", "operation"}),
		answersShared: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobgraph_answers_shared_total",
			Help: "GraphQL answers given without an execution: in_flight (an equal operation was under way) or kept (a cached answer, each job of which is still cached).",
		}, []string{"how"}),
		upstreamCalls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "jobgraph_upstream_call_seconds",
			Help:    "Calls of the job API by outcome: OK, CANCELLED, or an ErrorType of the schema.",
			Buckets: prometheus.DefBuckets,
		}, []string{"outcome"}),
		upstreamInFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "jobgraph_upstream_calls_in_flight",
			Help: "Calls of the job API that wait or are under way.",
		}),
		upstreamRetries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jobgraph_upstream_retries_total",
			Help: "Second attempts of calls of the job API.",
		}),
		upstreamCoalesced: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jobgraph_upstream_coalesced_total",
			Help: "Callers who shared a call of the job API that another had begun.",
		}),
		upstreamRefused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobgraph_upstream_refused_total",
			Help: "Calls that ended without asking the job API: BUSY (too many wait), BREAKER_OPEN (it is failing), RATE_LIMITED (it told the token to wait).",
		}, []string{"reason"}),
		breakerOpen: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "jobgraph_upstream_breaker_open",
			Help: "1 while the circuit breaker is open for all tokens, as the job API is failing.",
		}),
		breakerOpenTokens: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "jobgraph_upstream_breaker_open_tokens",
			Help: "Tokens for which the circuit breaker is open, as the job API is failing for them.",
		}),
		malformedJobs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jobgraph_upstream_malformed_jobs_total",
			Help: "Jobs that a list of the job API was left without, as they were malformed.",
		}),
		unrecognizedEnums: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobgraph_upstream_unrecognized_values_total",
			Help: "Enum values of the job API that the schema does not know, by the API's field.",
		}, []string{"field"}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobgraph_upstream_logins_total",
			Help: "Logins at the job API with the server's or a tenant's credentials, by outcome: OK, or an ErrorType of the schema.",
		}, []string{"outcome"}),
	}
	m.registry.MustRegister(m.operations, m.answersShared, m.upstreamCalls, m.upstreamInFlight, m.upstreamRetries,
		m.upstreamCoalesced, m.upstreamRefused, m.breakerOpen, m.breakerOpenTokens, m.malformedJobs, m.unrecognizedEnums, m.logins,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Build shows which build this is: always 1, to join other metrics with.
func (m *Metrics) Build(version, commit string) {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "jobgraph_build_info",
		Help:        "Always 1: the labels say which build of JobGraph this is.",
		ConstLabels: prometheus.Labels{"version": version, "commit": commit},
	})
	build.Set(1)
	m.registry.MustRegister(build)
}

// Watch shows what the two functions count whenever the metrics are asked for.
func (m *Metrics) Watch(jobs, connections func() int) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "jobgraph_watched_jobs",
			Help: "Jobs that subscriptions wait for: each pair of token and job has one poller.",
		}, func() float64 { return float64(jobs()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "jobgraph_live_connections",
			Help: "WebSockets and event streams that are open.",
		}, func() float64 { return float64(connections()) }))
}

// Answers shows how many bytes of answers are being made or sent.
func (m *Metrics) Answers(bytes func() int64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "jobgraph_answer_bytes",
		Help: "Bytes of the answers that are being made or sent, of --max-memory-answers.",
	}, func() float64 { return float64(bytes()) }))
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// OperationDone counts one GraphQL answer. The name is one of the operator's, "" for an
// operation that has none of them.
func (m *Metrics) OperationDone(name, outcome string, took time.Duration) {
	m.operations.WithLabelValues(outcome, name).Observe(took.Seconds())
}

// AnswerShared counts one GraphQL answer that was given without an execution.
func (m *Metrics) AnswerShared(how string) { m.answersShared.WithLabelValues(how).Inc() }

// CallStarted is upstream.Observer's.
func (m *Metrics) CallStarted() { m.upstreamInFlight.Inc() }

// CallDone is upstream.Observer's.
func (m *Metrics) CallDone(outcome string, took time.Duration) {
	m.upstreamInFlight.Dec()
	m.upstreamCalls.WithLabelValues(outcome).Observe(took.Seconds())
}

// Retried is upstream.Observer's.
func (m *Metrics) Retried() { m.upstreamRetries.Inc() }

// Coalesced is upstream.Observer's.
func (m *Metrics) Coalesced() { m.upstreamCoalesced.Inc() }

// Refused is upstream.Observer's.
func (m *Metrics) Refused(reason string) { m.upstreamRefused.WithLabelValues(reason).Inc() }

// BreakerChanged is upstream.Observer's.
func (m *Metrics) BreakerChanged(open bool) {
	m.breakerOpen.Set(0)
	if open {
		m.breakerOpen.Set(1)
	}
}

// TokenBreakersOpen is upstream.Observer's.
func (m *Metrics) TokenBreakersOpen(tokens int) { m.breakerOpenTokens.Set(float64(tokens)) }

// MalformedJobs is upstream.Observer's.
func (m *Metrics) MalformedJobs(jobs int) { m.malformedJobs.Add(float64(jobs)) }

// UnrecognizedValue is upstream.Observer's.
func (m *Metrics) UnrecognizedValue(field string) {
	m.unrecognizedEnums.WithLabelValues(field).Inc()
}

// LoggedIn counts a login at the job API.
func (m *Metrics) LoggedIn(outcome string) { m.logins.WithLabelValues(outcome).Inc() }
