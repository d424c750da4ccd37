package load_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/metrics"
	"testing"
	"time"

	"jobgraph/graph"
	"jobgraph/graph/e2e/load"
	"jobgraph/graph/serve/logging"
	"jobgraph/graph/serve/memory"
	"jobgraph/graph/serve/web"
	"jobgraph/upstream"
	"jobgraph/upstream/sandbox"
	"jobgraph/upstream/store"
)

// BenchmarkServer compares whole operations over HTTP, in one run and in turns, with
// handlers that do the same without GraphQL, in the steady state: with the settings'
// defaults, the log at info, and the caches full. All share one process here, the sandbox
// and the clients too: TestLoad measures the built program by itself. The metrics are how
// many operations are answered in the time of one of the other handler's, and the
// objects that one makes, those of the sandbox and of the clients among them.
func BenchmarkServer(b *testing.B) {
	api := httptest.NewServer(sandbox.New(sandbox.Options{}))
	defer api.Close()
	client, err := upstream.New(api.URL, upstream.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	jobs := store.New(client, store.Options{SettledTTL: time.Minute, ActiveTTL: time.Second})
	defer jobs.Close()
	memory.Tune()
	ours := benchServer(b, jobs)
	fill(b, ours, jobs)
	bare := httptest.NewServer(load.Bare(api.URL, sandbox.Token))
	defer bare.Close()
	for _, q := range load.Questions() {
		b.Run(q.Name, func(b *testing.B) {
			inTurns(b, q, ours, load.Target{URL: bare.URL + "/", Bare: true}, "bare")
		})
	}
	for _, q := range []load.Question{load.List(1, 1).Cached(), load.List(10, 10).Cached()} {
		b.Run(q.Name, func(b *testing.B) {
			fixed := httptest.NewServer(load.Fixed(load.Once(b, ours, q)))
			defer fixed.Close()
			inTurns(b, q, ours, load.Target{URL: fixed.URL + "/"}, "fixed")
		})
	}
}

// benchServer is the public address as the program has it, access log included.
func benchServer(b *testing.B, source upstream.Source) load.Target {
	logs, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	logger, buffer := logging.New(logs, logging.Options{})
	server := httptest.NewServer(web.New(web.Options{
		GraphQL:   graph.NewHandler(source, graph.Options{DefaultToken: sandbox.Token, Logger: logger, CacheResponses: true}),
		Readiness: &web.Readiness{},
		Logger:    logger,
	}))
	b.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		server.Close()
		_ = buffer.Close()
		_ = logs.Close()
	})
	return load.Target{URL: server.URL + "/graphql"}
}

// fill asks for jobs until the store has to evict some.
func fill(b *testing.B, target load.Target, jobs *store.Store) {
	for jobs.Stats().Evicted == 0 {
		if _, err := load.Run(target, load.List(100, 100), 4, 100*time.Millisecond); err != nil {
			b.Fatal(err)
		}
	}
}

func inTurns(b *testing.B, q load.Question, ours, theirs load.Target, other string) {
	var us, them turn
	for b.Loop() {
		us.take(b, q, ours)
		them.take(b, q, theirs)
	}
	b.ReportMetric(0, "ns/op") // of no meaning: a turn takes its time
	b.ReportMetric(us.PerSecond()/them.PerSecond(), "of-"+other)
	b.ReportMetric(us.allocations/float64(us.Requests), "allocs/request")
	b.ReportMetric(them.allocations/float64(them.Requests), other+"-allocs/request")
}

type turn struct {
	load.Result
	allocations float64
}

func (t *turn) take(b *testing.B, q load.Question, target load.Target) {
	before := allocations()
	result, err := load.Run(target, q, 4, 20*time.Millisecond)
	if err != nil {
		b.Fatal(err)
	}
	t.allocations += allocations() - before
	t.Add(result)
}

func allocations() float64 {
	count := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}}
	metrics.Read(count)
	return float64(count[0].Value.Uint64())
}
