package admin

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"jobgraph/graph"
	"jobgraph/upstream/store"
)

// Metrics are the program's Prometheus metrics. No label holds anything that a
// caller wrote. It is an upstream.Observer and a fleet.Observer.
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
	subscriptions     *prometheus.CounterVec
	events            prometheus.Counter
	inFlight          prometheus.Gauge
	permits           prometheus.Gauge
	cacheHits         prometheus.Counter
	cacheMisses       prometheus.Counter
	polls             prometheus.Counter
	callbacks         prometheus.Counter
	evictions         prometheus.Counter
	fleetLookups      *prometheus.CounterVec
	fleetCommands     *prometheus.HistogramVec
	fleetAvailable    prometheus.Gauge

	mu    sync.Mutex
	names map[string]bool // the operations' own names that are labels
}

// maxNames bounds the names of operations that clients chose themselves; others are other.
const maxNames = 200

// histogram has native buckets for a Prometheus that scrapes them, and classic ones.
func histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: prometheus.DefBuckets,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour}, labels)
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

// NewMetrics returns metrics in a registry of their own, the Go runtime's among them.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		operations: histogram("jobgraph_operation_seconds",
			"GraphQL answers by outcome: OK, or extensions.code of the first error; by kind; and by operation: the trusted document's name, or one of the first 200 that clients chose, others being other.",
			"kind", "operation", "outcome"),
		answersShared: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobgraph_answers_shared_total",
			Help: "GraphQL answers given without an execution: in_flight (an equal operation was under way) or kept (a cached answer, each job of which is still cached).",
		}, []string{"how"}),
		upstreamCalls: histogram("jobgraph_upstream_call_seconds",
			"Calls of the job API by outcome: OK, CANCELLED, or an ErrorType of the schema.", "outcome"),
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
		subscriptions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobgraph_subscriptions_total",
			Help: "Subscriptions that have ended, by operation and outcome as in jobgraph_operation_seconds.",
		}, []string{"operation", "outcome"}),
		events: counter("jobgraph_subscription_events_total", "Events of subscriptions that have ended."),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "jobgraph_operations_in_flight",
			Help: "Queries that wait or are executed, of which --max-inflight are executed at a time.",
		}),
		permits: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "jobgraph_operation_permits",
			Help: "Queries that may be executed at a time now: --max-inflight, or fewer while goroutines queue for the processors.",
		}),
		cacheHits:   counter("jobgraph_cache_hits_total", "Jobs that were served from the cache, answers that were cached as a whole aside."),
		cacheMisses: counter("jobgraph_cache_misses_total", "Jobs that were looked up in the cache and asked of the job API."),
		polls:       counter("jobgraph_polls_total", "Polls of jobs that subscriptions wait for, a list of them being one."),
		callbacks:   counter("jobgraph_callbacks_total", "Callbacks of the job API that came to the signed address."),
		fleetLookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobgraph_fleet_lookups_total",
			Help: "Jobs and lists that were looked up in Redis, by outcome: HIT, JOINED (another instance's call, which was waited for, gave it), MISS, INVALID (garbage, or out of date), SKIPPED (Redis is failing), TIMEOUT or ERROR.",
		}, []string{"outcome"}),
		fleetCommands: histogram("jobgraph_fleet_command_seconds",
			"Exchanges with Redis by outcome: OK, ERROR, TIMEOUT (nobody waited any longer) or SKIPPED (Redis is failing, or too much is under way).", "outcome"),
		fleetAvailable: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "jobgraph_fleet_available",
			Help: "1 while Redis answers in time, so that instances share what they fetch; 0 also where there is no --redis-url.",
		}),
		evictions: counter("jobgraph_connections_evicted_total", "TCP connections that waited for a request and were closed for others: there are 4,096 at most, 3,072 of one client."),
		names:     map[string]bool{},
	}
	m.registry.MustRegister(m.operations, m.answersShared, m.upstreamCalls, m.upstreamInFlight, m.upstreamRetries,
		m.upstreamCoalesced, m.upstreamRefused, m.breakerOpen, m.breakerOpenTokens, m.malformedJobs, m.unrecognizedEnums, m.logins,
		m.subscriptions, m.events, m.inFlight, m.permits, m.cacheHits, m.cacheMisses, m.polls, m.callbacks, m.evictions,
		m.fleetLookups, m.fleetCommands, m.fleetAvailable,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	// What has not happened is 0, and not unknown: an alert needs a value before.
	for _, how := range []string{"in_flight", "kept"} {
		m.answersShared.WithLabelValues(how)
	}
	for _, reason := range []string{"BUSY", "BREAKER_OPEN", "RATE_LIMITED"} {
		m.upstreamRefused.WithLabelValues(reason)
	}
	for _, outcome := range []string{"OK", "LOGIN_INVALID", "BAD_API_TOKEN"} {
		m.logins.WithLabelValues(outcome)
	}
	for _, outcome := range []string{"HIT", "JOINED", "MISS", "INVALID", "SKIPPED", "TIMEOUT", "ERROR"} {
		m.fleetLookups.WithLabelValues(outcome)
	}
	for _, outcome := range []string{"OK", "ERROR", "TIMEOUT", "SKIPPED"} {
		m.fleetCommands.WithLabelValues(outcome)
	}
	for _, field := range []string{"JobStatus", "Priority", "Fidelity", "JobDifficulty"} {
		m.unrecognizedEnums.WithLabelValues(field)
	}
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
			Help: "WebSockets and event streams that are open, and subscriptions of routers that are called back.",
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
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// OperationDone counts an operation; traceID is the exemplar's, "" where it is not traced.
func (m *Metrics) OperationDone(done graph.Operation, traceID string) {
	name := m.label(done)
	if done.Kind == "subscription" {
		m.subscriptions.WithLabelValues(name, done.Outcome).Inc()
		m.events.Add(float64(done.Events))
		return
	}
	seconds := m.operations.WithLabelValues(done.Kind, name, done.Outcome)
	if exemplar, ok := seconds.(prometheus.ExemplarObserver); ok && traceID != "" {
		exemplar.ObserveWithExemplar(done.Took.Seconds(), prometheus.Labels{"trace_id": traceID})
		return
	}
	seconds.Observe(done.Took.Seconds())
}

// label is the operation's name as far as there is room for it. What was not executed does
// not take any.
func (m *Metrics) label(done graph.Operation) string {
	if done.Name == "" || done.Trusted {
		return done.Name
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.names[done.Name] {
		if len(m.names) >= maxNames || done.Outcome != "OK" {
			return "other"
		}
		m.names[done.Name] = true
	}
	return done.Name
}

// OperationsInFlight counts those that are under way.
func (m *Metrics) OperationsInFlight(change int) { m.inFlight.Add(float64(change)) }

// Permits says how many queries may be executed at a time now.
func (m *Metrics) Permits(permits int) { m.permits.Set(float64(permits)) }

// CacheHit counts a job that was served from the cache.
func (m *Metrics) CacheHit() { m.cacheHits.Inc() }

// CacheMiss counts a job that was not.
func (m *Metrics) CacheMiss() { m.cacheMisses.Inc() }

// Polled counts a poll of a job.
func (m *Metrics) Polled() { m.polls.Inc() }

// ConnectionEvicted counts a connection that was closed for others.
func (m *Metrics) ConnectionEvicted() { m.evictions.Inc() }

// CalledBack counts a callback of the job API.
func (m *Metrics) CalledBack() { m.callbacks.Inc() }

// Cache shows what the store of jobs holds.
func (m *Metrics) Cache(stats func() store.Stats) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "jobgraph_cache_bytes", Help: "Memory of the jobs that are cached, roughly."},
			func() float64 { return float64(stats().Bytes) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "jobgraph_cache_entries", Help: "Jobs that are cached, those that have just expired among them."},
			func() float64 { return float64(stats().Entries) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "jobgraph_cache_evictions_total", Help: "Jobs that had to go before they had expired, for lack of room."},
			func() float64 { return float64(stats().Evicted) }))
}

// RetryBudget shows how many retries are saved up.
func (m *Metrics) RetryBudget(left func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "jobgraph_upstream_retry_budget",
		Help: "Second attempts of calls of the job API that may be made at once, 10 at most.",
	}, left))
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
