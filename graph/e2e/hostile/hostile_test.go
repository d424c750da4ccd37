// Package hostile_test attacks the built program, as one client or some, and measures what that costs
// it and other callers. See SECURITY.md.
package hostile_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/program"
)

// What a hostile client may cost, see SECURITY.md. What was measured is logged.
const (
	maxRSS        = 192 << 20
	maxGoroutines = 300
	// maxWait is another caller's, for one in ten at most.
	maxWait = 200 * time.Millisecond
	// minAttack is how long an attack goes on at least, so that one in ten is one of many.
	minAttack = 3 * time.Second
)

// alone says that the machine is the tests' own. Where others run beside them, they run beside
// each other as well, and how long something takes depends on all of them.
var alone = os.Getenv("JOBGRAPH_BENCH") != ""

// spawn starts the program for an attack.
func spawn(t *testing.T, args ...string) *program.Program {
	t.Helper()
	if !alone {
		t.Parallel()
	}
	return program.Spawn(t, args...)
}

// hostile runs an attack on the program, again and again for minAttack, and requires
// that it costs no more than a hostile client may, and that another caller is answered
// all the while. The attack is bounded by itself; everything that it opened is closed
// when it returns.
func hostile(t *testing.T, p *program.Program, attack func(ctx context.Context)) {
	t.Helper()
	hostileUpTo(t, p, maxGoroutines, attack)
}

// hostileUpTo is hostile, of a client that may have so many goroutines more than at rest.
func hostileUpTo(t *testing.T, p *program.Program, goroutinesMore int, attack func(ctx context.Context)) {
	t.Helper()
	if _, err := os.Stat("/proc/self/clear_refs"); err != nil {
		t.Skip("memory is measured by /proc")
	}
	askNeighbour(t, p) // what is made once is made
	atRest := goroutines(t, p)
	require.NoError(t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.PID()), []byte("5"), 0)) // VmHWM is VmRSS now
	before := memoryOf(t, p, "VmRSS")

	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	var observers sync.WaitGroup
	var waits []time.Duration
	most := 0
	observers.Go(func() {
		for ; ctx.Err() == nil; program.Pause(ctx, 20*time.Millisecond) {
			waits = append(waits, askNeighbour(t, p))
		}
	})
	observers.Go(func() {
		for ; ctx.Err() == nil; program.Pause(ctx, 100*time.Millisecond) {
			most = max(most, goroutines(t, p))
		}
	})
	for began := time.Now(); time.Since(began) < minAttack; {
		attack(ctx)
	}
	stop()
	observers.Wait()

	peak := memoryOf(t, p, "VmHWM")
	slices.Sort(waits)
	require.NotEmpty(t, waits)
	t.Logf("RSS %d MB, at rest %d MB; %d goroutines, at rest %d; jobById of %d other callers: half within %s, nine in ten %s, all %s",
		peak>>20, before>>20, most, atRest, len(waits), waits[len(waits)/2], waits[len(waits)*9/10], waits[len(waits)-1])
	wait := maxWait
	if !alone { // what is slower piles up
		goroutinesMore, wait = goroutinesMore*2, 15*time.Second
	}
	assert.Less(t, peak, maxRSS, "peak RSS")
	assert.Less(t, most-atRest, goroutinesMore, "goroutines more than at rest")
	assert.Less(t, waits[len(waits)*9/10], wait, "another caller's wait")
	require.Eventually(t, func() bool { return goroutines(t, p) <= atRest+10 }, program.Timeout, 100*time.Millisecond, "goroutines stay")
}

// askNeighbour asks for one job over a connection of its own.
func askNeighbour(t *testing.T, p *program.Program) time.Duration {
	began := time.Now()
	client := http.Client{Timeout: program.Timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Post(p.URL+"/graphql", "application/json", strings.NewReader(
		`{"query": "{ jobById(id: \"00000000000000000000000000000abc\") { __typename } }"}`))
	if !assert.NoError(t, err, "another caller") {
		return time.Since(began)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	assert.NoError(t, err, "another caller")
	assert.Equal(t, http.StatusOK, response.StatusCode, "another caller")
	assert.Contains(t, string(answer), `{"data":{"jobById":{"__typename":`, "another caller")
	return time.Since(began)
}

func goroutines(t *testing.T, p *program.Program) int { return int(p.Metric(t, "go_goroutines")) }

// memoryOf is a line of /proc/PID/status, in bytes.
func memoryOf(t *testing.T, p *program.Program, name string) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	require.NoError(t, err)
	_, after, found := strings.Cut(string(status), name+":")
	require.True(t, found, name)
	kilobytes, err := strconv.Atoi(strings.Fields(after)[0])
	require.NoError(t, err)
	return kilobytes << 10
}

// deaf sends a request over a connection of its own, whose answer is not read.
func deaf(ctx context.Context, t *testing.T, p *program.Program, request string) net.Conn {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(p.URL, "http://"))
	if !assert.NoError(t, err) {
		return nil
	}
	assert.NoError(t, connection.(*net.TCPConn).SetReadBuffer(4<<10)) // the kernel reads little for us
	_, _ = io.WriteString(connection, request)                        // the program may have closed it
	return connection
}

// post is a whole request.
func post(p *program.Program, body string) string {
	return fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		strings.TrimPrefix(p.URL, "http://"), len(body), body)
}

// TestHostile_ManySilentConnections is a client that does nothing to wait for.
func TestHostile_ManySilentConnections(t *testing.T) {
	p := spawn(t)
	hostile(t, p, func(ctx context.Context) {
		for range 150 {
			if connection := deaf(ctx, t, p, post(p, `{"query": "{ __typename }"}`)); connection != nil {
				defer connection.Close()
			}
		}
		program.Pause(ctx, time.Second)
	})
}
