package examples_test

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/freeport"
)

// Each page sees its job change after a restart of JobGraph, a crash of it, and one of the
// gateway, and nothing is left of the pages before. A page whose subscription has ended
// subscribes again, as clients do by themselves.
func TestFederation_RestartsBehindHive(t *testing.T) {
	t.Parallel()
	needsNode(t)
	if os.Getenv("JOBGRAPH_REQUIRE_ALL") == "" {
		t.Skip("set JOBGRAPH_REQUIRE_ALL=1: it takes most of a minute")
	}
	for _, protocol := range []struct{ name, config, crash string }{
		{"sse", "federation/gateway.config.js", "INTERNAL_SERVER_ERROR"},
		{"callback", "federation/gateway-callback.config.js", "TIMEOUT_ERROR"},
		{"websocket", "federation/gateway-websocket.config.js", ""}, // the gateway subscribes again by itself
	} {
		t.Run(protocol.name, func(t *testing.T) {
			t.Parallel()
			h := startHive(t, protocol.config, program.Spawn)
			page := h.open(t)
			assert.Equal(t, status("AUTHORIZING"), page.next())
			assert.NoError(t, h.jobs.Stop(), "exit code 0")
			assert.Equal(t, "complete", page.next(), "JobGraph is being restarted")

			h.upstream.passed.Store(int64(5 * time.Second))
			h.startJobs()
			page = h.open(t)
			assert.Equal(t, status("PENDING"), page.next())
			h.upstream.passed.Store(int64(10 * time.Second))
			assert.Equal(t, status("IN_PROCESS"), page.next())

			require.NoError(t, syscall.Kill(h.jobs.PID(), syscall.SIGKILL))
			assert.Error(t, h.jobs.Stop())
			h.upstream.passed.Store(int64(18 * time.Second))
			h.startJobs()
			if protocol.crash != "" {
				assert.Contains(t, page.next(), `"code":"`+protocol.crash+`"`)
				assert.Equal(t, "complete", page.next())
				page = h.open(t)
			}
			assert.Equal(t, status("REVIEWING"), page.next(), "JobGraph has crashed")
			assert.Equal(t, "11", h.live(t))
			page.close()
			h.awaitLive(t, "00", "the page is closed")

			page = h.open(t)
			assert.Equal(t, status("REVIEWING"), page.next())
			h.stop()
			assert.Empty(t, page.next(), "the gateway has crashed")
			h.startGateway(t)
			h.awaitLive(t, "00", "the new gateway knows nothing of the page")
			page = h.open(t)
			assert.Equal(t, status("REVIEWING"), page.next())
			h.upstream.passed.Store(int64(22 * time.Second))
			assert.Equal(t, status("COMPLETE"), page.next())
			page.close()
			h.awaitLive(t, "00", "the page is closed")
		})
	}
}

// hive is JobGraph behind Hive's gateway, each at an address that outlives it.
type hive struct {
	upstream  *counted
	jobs      *program.Program
	startJobs func() // anew, at the same address
	url       string // the gateway's
	stop      func() // kills the gateway

	config, supergraph string
}

// startHive starts JobGraph by start, and the gateway with a file of settings.
func startHive(t *testing.T, config string, start func(testing.TB, ...string) *program.Program) *hive {
	t.Helper()
	h := &hive{upstream: newCounted(t), config: config, url: "http://127.0.0.1:" + freeport.Get(t)}
	address := "127.0.0.1:" + freeport.Get(t)
	h.startJobs = func() {
		h.jobs = start(t, "--listen", address, "--upstream-url", h.upstream.URL, "--poll-interval", "100ms", "--poll-max", "100ms",
			"--subscription-callback-origin", h.url)
	}
	h.startJobs()
	h.supergraph = filepath.Join(t.TempDir(), "supergraph.graphql")
	require.NoError(t, os.WriteFile(h.supergraph, []byte(run(t, "node", "federation/compose.js", "jobs="+h.jobs.URL+"/graphql")), 0o600))
	h.startGateway(t)
	return h
}

func (h *hive) startGateway(t *testing.T) {
	t.Helper()
	_, h.stop = startUntil(t, `Listening on (http://[0-9.:]+)`, "env", "PUBLIC_URL="+h.url, "HEARTBEAT_MS=1000", "node_modules/.bin/hive-gateway", "supergraph", h.supergraph,
		"--config-path", h.config, "--host", "127.0.0.1", "--port", h.url[strings.LastIndex(h.url, ":")+1:])
}

// live is how many live connections JobGraph has, and how many jobs it watches.
func (h *hive) live(t *testing.T) string {
	t.Helper()
	return metric(t, h.jobs, "jobgraph_live_connections") + metric(t, h.jobs, "jobgraph_watched_jobs")
}

func (h *hive) awaitLive(t *testing.T, want, why string) {
	t.Helper()
	require.Eventually(t, func() bool { return h.live(t) == want }, nodeTimeout, 50*time.Millisecond, why)
}

// metric is the value of a metric without labels.
func metric(t *testing.T, p *program.Program, name string) string {
	t.Helper()
	for line := range strings.Lines(gqltest.Get(t, p.AdminURL+"/metrics").Body) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// page follows the moving job through the gateway by server-sent events.
type page struct {
	body   io.Closer
	events *bufio.Scanner
}

func (h *hive) open(t *testing.T) page {
	t.Helper()
	request := post(t, h.url+"/graphql", hiveCanary, followQuery)
	request.Header.Set("Accept", "text/event-stream")
	body := gqltest.Open(t, request).Body
	return page{body, bufio.NewScanner(body)}
}

func (p page) close() { _ = p.body.Close() }

// next is the data of the next event, "complete" for the last one, "" where the stream
// has ended without it.
func (p page) next() string {
	for p.events.Scan() {
		if p.events.Text() == "event: complete" {
			return "complete"
		}
		if data, found := strings.CutPrefix(p.events.Text(), "data: {"); found {
			return "{" + data
		}
	}
	return ""
}

// status is the data of an event with a job's status.
func status(name string) string { return `{"data":{"jobUpdated":{"status":"` + name + `"}}}` }
