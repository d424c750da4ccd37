package program_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/freeport"
)

// balancer is haproxy with the compose file's own settings, in front of two ports.
func balancer(t *testing.T, ports [2]string) (url string) {
	t.Helper()
	haproxy := program.NeedTool(t, "haproxy")
	text, err := os.ReadFile(deploy + "/compose/haproxy.cfg")
	require.NoError(t, err)
	port := freeport.Get(t)
	settings := regexp.MustCompile(`bind :8080`).ReplaceAllString(string(text), "bind 127.0.0.1:"+port)
	for n, own := range ports {
		name := fmt.Sprintf("jobgraph-%d", n+1)
		settings = strings.Replace(settings, name+":8080", "127.0.0.1:"+own, 1)
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	require.NoError(t, os.WriteFile(file, []byte(settings), 0o600))
	command := exec.Command(haproxy, "-db", "-f", file)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
	})
	url = "http://127.0.0.1:" + port
	require.Eventually(t, func() bool {
		answer, err := gqltest.Send(gqltest.Request(t, http.MethodGet, url+"/readyz", ""))
		return err == nil && answer.Status == http.StatusOK
	}, program.Timeout, 50*time.Millisecond)
	return url
}

// Both servers are replaced, one after the other, under load: no query fails, and each
// subscription goes on where it is begun again as clients do by themselves.
func TestRollingRestart_DropsNothing(t *testing.T) {
	program.NeedTool(t, "haproxy")
	if os.Getenv("JOBGRAPH_REQUIRE_ALL") == "" {
		t.Skip("set JOBGRAPH_REQUIRE_ALL=1: it takes a quarter of a minute")
	}
	api := newLoginAPI(t, time.Hour, nil)
	ports := [2]string{freeport.Get(t), freeport.Get(t)}
	start := func(n int) *program.Program {
		return program.Spawn(t, "--listen", "127.0.0.1:"+ports[n], "--admin-listen", "", "--upstream-url", api.URL,
			"--upstream-username", "john_doe", "--upstream-password", "example_password", "--shutdown-delay", "3s", "--log-level", "warn",
			"--max-connections-per-client", "0", "--poll-interval", "500ms")
	}
	servers := [2]*program.Program{start(0), start(1)}
	url := balancer(t, ports)

	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	var answered, failed, subscribed, events atomic.Int64
	for n := range 8 {
		running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				body := fmt.Sprintf(`{"query": "{ jobById(id: \"6000000000000000000000%02d%08d\") { ... on Job { status } } }"}`, n, i)
				answer, err := gqltest.Send(gqltest.Request(t, http.MethodPost, url+"/graphql", body, "Content-Type", "application/json"))
				if err != nil || answer.Status != http.StatusOK || !strings.Contains(answer.Body, "COMPLETE") {
					failed.Add(1)
					t.Logf("a query failed: %v %d %.200s", err, answer.Status, answer.Body)
				}
				answered.Add(1)
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	for range 20 {
		running.Go(func() {
			for ctx.Err() == nil {
				if subscribeOnce(ctx, url, &events) {
					subscribed.Add(1)
				}
			}
		})
	}
	require.Eventually(t, func() bool { return events.Load() >= 20 && answered.Load() >= 200 }, program.Timeout, 10*time.Millisecond)
	for n := range servers {
		before, told := answered.Load(), events.Load()
		assert.NoError(t, servers[n].Stop(), "exit code 0")
		servers[n] = start(n)
		require.Eventually(t, func() bool { return answered.Load() > before+200 && events.Load() >= told+5 }, program.Timeout, 10*time.Millisecond)
		time.Sleep(1500 * time.Millisecond) // the balancer's check has seen it
	}
	stop()
	running.Wait()
	assert.Zero(t, failed.Load(), "of %d queries", answered.Load())
	assert.Positive(t, subscribed.Load(), "subscriptions were begun again")
	t.Logf("%d queries, %d events, subscriptions begun again %d times", answered.Load(), events.Load(), subscribed.Load())
}

// subscribeOnce subscribes over a WebSocket until the server ends it, which it must do as
// one who is being restarted: the subscription is complete, or the socket closed with 1001.
func subscribeOnce(ctx context.Context, url string, events *atomic.Int64) (again bool) {
	conn, _, err := websocket.Dial(ctx, url+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		return false
	}
	defer conn.CloseNow()
	for _, message := range []string{`{"type": "connection_init"}`,
		`{"id": "1", "type": "subscribe", "payload": {"query": "subscription { jobUpdated(ids: \"30000000000000000000000000000003\") { ... on Job { id status } } }"}}`} {
		if conn.Write(ctx, websocket.MessageText, []byte(message)) != nil {
			return false
		}
	}
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return websocket.CloseStatus(err) == websocket.StatusGoingAway
		}
		var message struct{ Type string }
		if json.Unmarshal(text, &message) != nil {
			return false
		}
		switch message.Type {
		case "next":
			events.Add(1)
		case "complete":
			return true
		}
	}
}
