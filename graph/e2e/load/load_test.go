package load_test

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/load"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/sandbox"
)

var slice = flag.Duration("slice", 500*time.Millisecond, "how long each turn of TestLoad is")

// turns is how often each of two servers is put under load, one after the other.
const turns = 6

// TestLoad measures the built program over the sandbox, in turns with a bare handler,
// and prints tables. It takes some minutes and runs only when it is asked for:
//
//	JOBGRAPH_BENCH=1 go test -count=1 -v -run TestLoad ./graph/e2e/load
func TestLoad(t *testing.T) {
	if os.Getenv("JOBGRAPH_BENCH") == "" {
		t.Skip("set JOBGRAPH_BENCH=1 to run it")
	}
	program.NeedFile(t, "/proc/self/clear_refs", "only Linux tells what a process used")
	api := program.Spawn(t, "sandbox").URL
	bare := startBare(t, api)
	cold := startProgram(t, api, "--cache=false", "--max-ids", "1000", "--max-inflight", "1000")
	cached := startProgram(t, api, "--max-inflight", "1000")
	t.Run("against a bare handler", func(t *testing.T) {
		table := newTable(t, "4 connections, nothing kept", "bare handler")
		for _, q := range load.Questions() {
			table.row(q.Name, compare(t, q, 4, cold, bare))
		}
	})
	t.Run("against fixed bytes", func(t *testing.T) {
		table := newTable(t, "4 connections, answers kept", "fixed bytes")
		for _, q := range []load.Question{load.List(1, 1).Cached(), load.List(10, 10).Cached(), load.List(100, 100).Cached()} {
			table.row(q.Name, compare(t, q, 4, cached, startFixed(t, cached, q)))
		}
	})
	t.Run("by ids", func(t *testing.T) {
		table := newTable(t, "1 connection, nothing kept", "bare handler")
		for _, ids := range []int{1, 10, 100, 1000} {
			table.row(load.List(ids, ids).Name, compare(t, load.List(ids, ids), 1, cold, bare))
		}
	})
	t.Run("by connections", func(t *testing.T) {
		table := newTable(t, "1 id, nothing kept", "bare handler")
		for _, connections := range []int{1, 10, 100, 1000} {
			table.row(plural(connections), compare(t, load.List(1, 1), connections, cold, bare))
		}
	})
	t.Run("by connections, kept", func(t *testing.T) {
		q := load.List(10, 10).Cached()
		fixed := startFixed(t, cached, q)
		table := newTable(t, "10 ids, answers kept", "fixed bytes")
		for _, connections := range []int{1, 10, 100, 1000} {
			table.row(plural(connections), compare(t, q, connections, cached, fixed))
		}
	})
	t.Run("over a slow upstream", func(t *testing.T) {
		slow := slowAPI(t, 20*time.Millisecond)
		both := compare(t, load.List(10, 10), 4, startProgram(t, slow, "--cache=false"), startBare(t, slow))
		t.Logf("an upstream that takes 20 ms, 4 connections, 10 ids: half of the answers within %v, %v more than the bare handler's",
			both.ours.Percentile(50), both.ours.Percentile(50)-both.theirs.Percentile(50))
	})
}

// server is a process that is put under load.
type server struct {
	load.Target
	pid int
}

func startProgram(t *testing.T, api string, args ...string) server {
	// The other handlers log nothing either.
	own := []string{"--upstream-url", api, "--upstream-token", sandbox.Token, "--log-level", "warn"}
	p := program.Spawn(t, append(own, args...)...)
	return server{load.Target{URL: p.URL + "/graphql"}, p.PID()}
}

func startBare(t *testing.T, api string) server {
	url, pid := startChild(t, childOf, api)
	return server{load.Target{URL: url + "/", Bare: true}, pid}
}

// startFixed starts a handler that answers what the other server answers.
func startFixed(t *testing.T, like server, q load.Question) server {
	url, pid := startChild(t, childFixed, string(load.Once(t, like.Target, q)))
	return server{load.Target{URL: url + "/"}, pid}
}

// slowAPI is a job API that takes its time.
func slowAPI(t *testing.T, delay time.Duration) string {
	api := sandbox.New(sandbox.Options{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(delay)
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(slow.Close)
	return slow.URL
}

// measured is what a question cost one server.
type measured struct {
	load.Result
	usage
}

type pair struct{ ours, theirs measured }

func compare(t *testing.T, q load.Question, connections int, ours, theirs server) (p pair) {
	t.Helper()
	measure(t, q, connections, ours, 0) // what is made once is made now
	measure(t, q, connections, theirs, 0)
	forgetPeak(t, ours.pid)
	forgetPeak(t, theirs.pid)
	for range turns {
		p.ours.add(measure(t, q, connections, ours, *slice))
		p.theirs.add(measure(t, q, connections, theirs, *slice))
	}
	return p
}

// measure asks each connection's question at least once.
func measure(t *testing.T, q load.Question, connections int, s server, long time.Duration) measured {
	t.Helper()
	before := use(t, s.pid)
	result, err := load.Run(s.Target, q, connections, long)
	require.NoError(t, err)
	after := use(t, s.pid)
	return measured{result, usage{after.cpu - before.cpu, after.peak}}
}

func (m *measured) add(more measured) {
	m.Add(more.Result)
	m.cpu += more.cpu
	m.peak = max(m.peak, more.peak)
}

// table prints rows of Markdown.
type table struct{ t *testing.T }

func newTable(t *testing.T, about, against string) table {
	t.Logf("| %s | requests/s | p50 | p99 | CPU s per 1,000 | peak memory | of the %s: requests/s | CPU |", about, against)
	t.Log("| --- | --- | --- | --- | --- | --- | --- | --- |")
	return table{t}
}

func (table table) row(name string, p pair) {
	cpu := func(m measured) float64 { return m.cpu.Seconds() / float64(m.Requests) * 1000 }
	table.t.Logf("| %s | %.0f | %.2f ms | %.2f ms | %.3f | %.0f MiB | %.2f | %.2f |", name,
		p.ours.PerSecond(), ms(p.ours.Percentile(50)), ms(p.ours.Percentile(99)), cpu(p.ours), float64(p.ours.peak)/(1<<20),
		p.ours.PerSecond()/p.theirs.PerSecond(), cpu(p.ours)/cpu(p.theirs))
}

func plural(connections int) string {
	if connections == 1 {
		return "1 connection"
	}
	return fmt.Sprintf("%d connections", connections)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
