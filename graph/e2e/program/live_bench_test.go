package program_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/program"
)

const (
	benchSockets       = 1000
	benchJobsPerSocket = 10
	benchJobs          = benchSockets * benchJobsPerSocket
)

// TestPoller_TenThousandWatchedJobs prints what watching costs. It takes two minutes and
// runs only when it is asked for:
//
//	JOBGRAPH_BENCH=1 go test -count=1 -v -run TenThousand ./graph/e2e/program
func TestPoller_TenThousandWatchedJobs(t *testing.T) {
	if os.Getenv("JOBGRAPH_BENCH") == "" {
		t.Skip("set JOBGRAPH_BENCH=1 to run it")
	}
	api := &benchAPI{seen: make([]atomic.Int64, benchJobs)}
	server := httptest.NewServer(api)
	defer server.Close()
	p := program.Spawn(t, "--upstream-url", server.URL, "--upstream-token", canaryToken, "--log-level", "error", "--max-connections-per-client", "0")
	base := p.Metric(t, "process_resident_memory_bytes")

	frames := make(chan int, benchJobs)
	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	defer readers.Wait()
	defer cancel()
	sockets := make([]*websocket.Conn, benchSockets)
	started := time.Now()
	for i := range sockets {
		sockets[i] = benchDial(t, ctx, p.URL)
		require.NoError(t, sockets[i].Write(ctx, websocket.MessageText, benchSubscribe("own", i*benchJobsPerSocket, benchJobsPerSocket)))
		readers.Go(func() { benchRead(ctx, sockets[i], frames) })
	}
	benchDrain(t, frames, benchJobs)
	t.Logf("%d WebSockets with %d jobs each: first states after %v", benchSockets, benchJobsPerSocket, time.Since(started).Round(time.Millisecond))

	time.Sleep(time.Minute) // the polls stretch
	cpu, calls := p.Metric(t, "process_cpu_seconds_total"), api.calls.Load()
	time.Sleep(20 * time.Second)
	t.Logf("at rest: %.0f upstream calls a second, %.0f %% of one core", float64(api.calls.Load()-calls)/20,
		(p.Metric(t, "process_cpu_seconds_total")-cpu)*5)
	memory := p.Metric(t, "process_resident_memory_bytes") - base
	t.Logf("memory: %.0f MB, %.1f KB a subscription, %.1f KB a job; %.0f goroutines",
		memory/1e6, memory/benchSockets/1e3, memory/benchJobs/1e3, p.Metric(t, "go_goroutines"))

	api.status.Store(1)
	began := time.Now()
	latencies := benchLatencies(t, api, frames, benchJobs)
	t.Logf("each job changed once: %d events in %v, %.0f a second", benchJobs, time.Since(began).Round(time.Millisecond), benchJobs/time.Since(began).Seconds())
	t.Logf("from the upstream's answer to the client's frame: half within %v, 99 %% within %v, all within %v",
		latencies[benchJobs/2], latencies[benchJobs*99/100], latencies[benchJobs-1])

	for _, socket := range sockets {
		require.NoError(t, socket.Write(ctx, websocket.MessageText, benchSubscribe("shared", 0, 1)))
	}
	benchDrain(t, frames, benchSockets)
	polls := api.pollsAtFirst.Load()
	api.seen[0].Store(0)
	api.status.Store(2)
	var last time.Duration
	for got := 0; got < benchSockets; {
		if job := <-frames; job == 0 {
			got++
			last = time.Since(time.Unix(0, api.seen[0].Load()))
		}
	}
	t.Logf("one job with %d subscribers: all told %v after the upstream's answer, at a cost of %d polls",
		benchSockets+1, last.Round(time.Millisecond), api.pollsAtFirst.Load()-polls)
}

// benchAPI has jobs 0 to benchJobs-1, all with the same status.
type benchAPI struct {
	status, calls, pollsAtFirst atomic.Int64
	seen                        []atomic.Int64 // when a job's new status was first given
}

func (a *benchAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("job_id")
	job, _ := strconv.Atoi(id)
	a.calls.Add(1)
	if job == 0 {
		a.pollsAtFirst.Add(1)
	}
	status := a.status.Load()
	if status > 0 {
		a.seen[job].CompareAndSwap(0, time.Now().UnixNano())
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"JobId": %q, "JobName": "benchmark", "JobStatus": %q, "CreationDate": "2026-01-02T03:04:05",
		"ReturnTargets": {"url": [{"callback_url": "https://example.com/"}]}, "Options": {}}`,
		id, []string{"Pending", "In Process", "Reviewing"}[status])
}

func benchDial(t *testing.T, ctx context.Context, base string) *websocket.Conn {
	socket, _, err := websocket.Dial(ctx, base+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	require.NoError(t, err)
	require.NoError(t, socket.Write(ctx, websocket.MessageText, []byte(`{"type": "connection_init"}`)))
	_, _, err = socket.Read(ctx)
	require.NoError(t, err)
	return socket
}

func benchSubscribe(name string, first, count int) []byte {
	ids := make([]string, count)
	for i := range ids {
		ids[i] = fmt.Sprintf(`\"%08d\"`, first+i)
	}
	return fmt.Appendf(nil, `{"id": %q, "type": "subscribe", "payload": {"query": "subscription { jobUpdated(ids: [%s]) { ... on Job { id name status creationDate } } }"}}`,
		name, strings.Join(ids, ", "))
}

var benchID = regexp.MustCompile(`"id":"(\d{8})"`)

func benchRead(ctx context.Context, socket *websocket.Conn, frames chan<- int) {
	for {
		_, data, err := socket.Read(ctx)
		if err != nil {
			return
		}
		if found := benchID.FindSubmatch(data); found != nil {
			job, _ := strconv.Atoi(string(found[1]))
			frames <- job
		}
	}
}

func benchDrain(t *testing.T, frames <-chan int, count int) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for range count {
		select {
		case <-frames:
		case <-deadline:
			t.Fatal("frames are missing")
		}
	}
}

func benchLatencies(t *testing.T, api *benchAPI, frames <-chan int, count int) []time.Duration {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	latencies := make([]time.Duration, count)
	for i := range latencies {
		select {
		case job := <-frames:
			latencies[i] = time.Since(time.Unix(0, api.seen[job].Load()))
		case <-deadline:
			t.Fatal("frames are missing")
		}
	}
	slices.Sort(latencies)
	return latencies
}
