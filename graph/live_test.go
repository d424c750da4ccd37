package graph_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/graph/admission"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/serve/web"
	"jobgraph/graph/transport"
	"jobgraph/upstream"
	"jobgraph/upstream/poll"
)

const (
	liveToken   = "7ca5dc5c7cce449fb0fff719307e8f5f"
	liveJob     = "0001"
	subscribing = `subscription($ids: [ID!]!) { jobUpdated(ids: $ids) { ... on Job { id status } ... on ApiError { jobId type } } }`
)

// jobs is a job API in memory. What it has no state for is not found, and a token
// other than liveToken is refused.
type jobs struct {
	mu    sync.Mutex
	state map[string]*upstream.EncodedJob
	calls int
}

func (j *jobs) Job(_ context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	token := r.Token
	id := r.Key.ID
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls++
	switch job := j.state[id]; {
	case token != liveToken:
		return nil, &upstream.Error{Type: upstream.BadAPIToken, JobID: id, Comment: "no"}
	case job == nil:
		return nil, &upstream.Error{Type: upstream.ItemNotFound, JobID: id, Comment: "no"}
	default:
		return job, nil
	}
}

func (j *jobs) set(id string, status upstream.JobStatus, name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state == nil {
		j.state = map[string]*upstream.EncodedJob{}
	}
	job := upstream.Job{ID: id, Status: status, Name: &name}
	if status == upstream.StatusComplete {
		now := time.Now()
		job.ReturnDate = &now
	}
	j.state[id] = job.Encode()
}

type liveServer struct {
	*httptest.Server
	jobs        *jobs
	poller      *poll.Poller
	connections *transport.Connections
}

func startLive(t *testing.T, change func(*graph.Options)) *liveServer {
	t.Helper()
	return startLiveWith(t, change, 0)
}

// serverDeadline is that of reading a request and writing its answer at startBrief's server.
const serverDeadline = 500 * time.Millisecond

// startBrief starts an HTTP server whose deadlines what is live outlasts.
func startBrief(t *testing.T) *liveServer {
	t.Helper()
	return startLiveWith(t, nil, serverDeadline)
}

func startLiveWith(t *testing.T, change func(*graph.Options), deadline time.Duration) *liveServer {
	t.Helper()
	s := &liveServer{jobs: &jobs{}}
	s.jobs.set(liveJob, upstream.StatusPending, "")
	s.poller = poll.New(s.jobs, poll.Options{Interval: 5 * time.Millisecond, MaxInterval: 20 * time.Millisecond})
	s.connections = transport.NewConnections(transport.ConnectionOptions{Max: 10})
	limits := admission.DefaultLimits()
	limits.IDs = 3
	options := graph.Options{DefaultToken: liveToken, Poller: s.poller, Connections: s.connections, MaxOperations: 2, Limits: limits}
	if change != nil {
		change(&options)
	}
	s.Server = httptest.NewUnstartedServer(graph.NewHandler(s.jobs, options))
	s.Config.WriteTimeout, s.Config.ReadTimeout = deadline, deadline
	s.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		assert.NoError(t, s.connections.Shutdown(ctx))
		s.Close()
		assert.Eventually(t, func() bool { return s.poller.Jobs() == 0 }, 20*time.Second, time.Millisecond)
	})
	return s
}

// client speaks the protocol by hand.
type client struct {
	t    *testing.T
	conn *websocket.Conn
	ctx  context.Context
}

func (s *liveServer) dial(t *testing.T, header http.Header) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	conn, _, err := websocket.Dial(ctx, s.URL+"/graphql", &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: header})
	require.NoError(t, err)
	t.Cleanup(func() { conn.CloseNow() })
	return &client{t, conn, ctx}
}

func (s *liveServer) dialReady(t *testing.T) *client {
	t.Helper()
	c := s.dial(t, nil)
	c.send(`{"type": "connection_init"}`)
	require.Equal(t, `{"type":"connection_ack"}`, c.receive())
	return c
}

func (c *client) send(text string) {
	c.t.Helper()
	require.NoError(c.t, c.conn.Write(c.ctx, websocket.MessageText, []byte(text)))
}

func (c *client) subscribe(id, query string, ids ...string) {
	c.t.Helper()
	payload := map[string]any{"query": query, "variables": map[string]any{"ids": ids}}
	require.NoError(c.t, wsjson.Write(c.ctx, c.conn, map[string]any{"id": id, "type": "subscribe", "payload": payload}))
}

func (c *client) receive() string {
	c.t.Helper()
	_, data, err := c.conn.Read(c.ctx)
	require.NoError(c.t, err)
	return string(data)
}

// closed reads on until the server closes.
func (c *client) closed() (websocket.StatusCode, string) {
	c.t.Helper()
	for {
		_, _, err := c.conn.Read(c.ctx)
		var closed websocket.CloseError
		if err != nil {
			require.ErrorAs(c.t, err, &closed)
			return closed.Code, closed.Reason
		}
	}
}

func event(id, field string) string {
	return fmt.Sprintf(`{"id":%q,"type":"next","payload":{"data":{"jobUpdated":{%s}}}}`, id, field)
}

func TestLive_WebSocketSendsEachChangeAndCompletes(t *testing.T) {
	t.Parallel()
	s := startBrief(t)
	c := s.dialReady(t)
	c.subscribe("a", subscribing, liveJob)
	assert.Equal(t, event("a", `"id":"0001","status":"PENDING"`), c.receive())
	time.Sleep(serverDeadline + 100*time.Millisecond)
	s.jobs.set(liveJob, upstream.StatusInProcess, "")
	assert.Equal(t, event("a", `"id":"0001","status":"IN_PROCESS"`), c.receive())
	s.jobs.set(liveJob, upstream.StatusComplete, "")
	assert.Equal(t, event("a", `"id":"0001","status":"COMPLETE"`), c.receive())
	assert.Equal(t, `{"id":"a","type":"complete"}`, c.receive())

	c.subscribe("a", subscribing, "ffff")
	assert.Equal(t, event("a", `"jobId":"ffff","type":"ITEM_NOT_FOUND"`), c.receive(), "the id is free again")
	assert.Equal(t, `{"id":"a","type":"complete"}`, c.receive())

	c.subscribe("q", `query($ids: [ID!]!) { job(ids: $ids) { ... on Job { status } } }`, liveJob)
	assert.Equal(t, `{"id":"q","type":"next","payload":{"data":{"job":[{"status":"COMPLETE"}]}}}`, c.receive())
	assert.Equal(t, `{"id":"q","type":"complete"}`, c.receive())

	c.send(`{"type": "ping", "payload": {"at": 1}}`)
	assert.Equal(t, `{"type":"pong","payload":{"at":1}}`, c.receive())
	c.send(`{"type": "ping"}`)
	assert.Equal(t, `{"type":"pong"}`, c.receive())
}

func TestLive_WebSocketRefusesOperations(t *testing.T) {
	t.Parallel()
	s := startLive(t, nil)
	c := s.dialReady(t)
	for _, test := range []struct{ query, kind, code string }{
		{`subscription {`, "error", "GRAPHQL_PARSE_FAILED"},
		{`subscription { nonsense }`, "error", "GRAPHQL_VALIDATION_FAILED"},
		{`subscription { a: jobUpdated(ids: "01") { __typename } b: jobUpdated(ids: "02") { __typename } }`, "error", "GRAPHQL_VALIDATION_FAILED"},
		{`subscription { __typename }`, "error", "GRAPHQL_VALIDATION_FAILED"},
		{`subscription { jobUpdated(ids: "01") @skip(if: true) { __typename } }`, "error", "GRAPHQL_VALIDATION_FAILED"},
		{`subscription { jobUpdated(ids: ["1", "2", "3", "4"]) { __typename } }`, "error", "BAD_USER_INPUT"},
	} {
		c.subscribe("x", test.query)
		answer := c.receive()
		assert.Contains(t, answer, `"type":"`+test.kind+`"`, test.query)
		assert.Contains(t, answer, test.code, test.query)
	}

	c.subscribe("1", subscribing, liveJob)
	c.receive()
	c.subscribe("2", subscribing, liveJob)
	c.receive()
	c.subscribe("3", subscribing, liveJob)
	assert.Contains(t, c.receive(), `"id":"3","type":"error"`)
	c.send(`{"id": "1", "type": "complete"}`)
	c.send(`{"type": "ping"}`)
	assert.Equal(t, `{"type":"pong"}`, c.receive())
	c.subscribe("3", subscribing, liveJob)
	assert.Equal(t, event("3", `"id":"0001","status":"PENDING"`), c.receive())
}

func TestLive_WebSocketCloseCodes(t *testing.T) {
	t.Parallel()
	const start = `{"type": "connection_init"}`
	open := `{"id": "a", "type": "subscribe", "payload": {"query": "subscription { jobUpdated(ids: \"0001\") { __typename } }"}}`
	for _, test := range []struct {
		name   string
		sends  []string
		code   websocket.StatusCode
		reason string
	}{
		{"not JSON", []string{"{"}, 4400, "Invalid message received"},
		{"not an object", []string{"[]"}, 4400, "Invalid message received"},
		{"no type", []string{"{}"}, 4400, "Unexpected message type"},
		{"unknown type", []string{`{"type": "start"}`}, 4400, "Unexpected message type"},
		{"server's type", []string{start, `{"type": "connection_ack"}`}, 4400, "Unexpected message type"},
		{"no id", []string{start, `{"type": "subscribe", "payload": {"query": "{ __typename }"}}`}, 4400, "subscribe needs an id and a payload with a query"},
		{"no query", []string{start, `{"id": "a", "type": "subscribe", "payload": {}}`}, 4400, "subscribe needs an id and a payload with a query"},
		{"no payload", []string{start, `{"id": "a", "type": "subscribe"}`}, 4400, "subscribe needs an id and a payload with a query"},
		{"complete without id", []string{start, `{"type": "complete"}`}, 4400, "complete needs an id"},
		{"init payload", []string{`{"type": "connection_init", "payload": []}`}, 4400, "The payload of connection_init must be an object"},
		{"ping payload", []string{`{"type": "ping", "payload": 1}`}, 4400, "The payload of ping must be an object"},
		{"subscribe first", []string{open}, 4401, "Unauthorized"},
		{"token is a number", []string{`{"type": "connection_init", "payload": {"Authorization": 1}}`}, 4403, "Forbidden: send Authorization as a text such as Bearer HEX"},
		{"no init", nil, 4408, "Connection initialisation timeout"},
		{"same id", []string{start, open, open}, 4409, "Subscriber for a already exists"},
		{"init twice", []string{start, start}, 4429, "Too many initialisation requests"},
		{"too large", []string{start, `{"type": "ping", "payload": {"x": "` + strings.Repeat("x", 64<<10) + `"}}`}, websocket.StatusMessageTooBig, "read limited at 65537 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := startLive(t, nil).dial(t, nil)
			for _, text := range test.sends {
				c.send(text)
			}
			code, reason := c.closed()
			assert.Equal(t, test.code, code)
			if test.code != websocket.StatusMessageTooBig {
				assert.Equal(t, test.reason, reason)
			}
		})
	}
	t.Run("other subprotocol", func(t *testing.T) {
		t.Parallel()
		conn, _, err := websocket.Dial(t.Context(), startLive(t, nil).URL, &websocket.DialOptions{Subprotocols: []string{"graphql-ws"}})
		require.NoError(t, err)
		code, _ := (&client{t, conn, t.Context()}).closed()
		assert.Equal(t, websocket.StatusCode(4406), code)
	})
	t.Run("binary", func(t *testing.T) {
		t.Parallel()
		c := startLive(t, nil).dial(t, nil)
		require.NoError(t, c.conn.Write(c.ctx, websocket.MessageBinary, []byte(start)))
		code, _ := c.closed()
		assert.Equal(t, websocket.StatusCode(4400), code)
	})
}

func TestLive_WebSocketToken(t *testing.T) {
	t.Parallel()
	good, other := "Bearer "+liveToken, "Bearer abcd"
	for _, test := range []struct{ name, header, payload, want string }{
		{"none: the server's own", "", `{}`, "Job"},
		{"payload", "", `{"Authorization": "` + good + `"}`, "Job"},
		{"payload in lower case", other, `{"authorization": "` + good + `"}`, "Job"},
		{"header", good, `null`, "Job"},
		{"another's, in the payload", good, `{"Authorization": "` + other + `"}`, "BAD_API_TOKEN"},
		{"another's, in the header", other, `{}`, "BAD_API_TOKEN"},
		{"malformed", "", `{"Authorization": "nonsense"}`, "BAD_API_TOKEN"},
		{"empty", "", `{"Authorization": ""}`, "BAD_API_TOKEN"},
		{"twice, in two cases", "", `{"Authorization": "` + good + `", "authorization": "` + good + `"}`, "BAD_API_TOKEN"},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := http.Header{}
			if test.header != "" {
				header.Set("Authorization", test.header)
			}
			c := startLive(t, nil).dial(t, header)
			c.send(`{"type": "connection_init", "payload": ` + test.payload + `}`)
			require.Equal(t, `{"type":"connection_ack"}`, c.receive())
			c.subscribe("a", `subscription($ids: [ID!]!) { jobUpdated(ids: $ids) { __typename ... on ApiError { type } } }`, liveJob)
			assert.Contains(t, c.receive(), `"`+test.want+`"`)
		})
	}
}

func TestLive_ForeignOriginsAndTooManyConnections(t *testing.T) {
	t.Parallel()
	s := startLive(t, func(options *graph.Options) {
		options.AllowOrigin = web.Origins{"https://friend.example"}.Allow
	})
	status := func(origin string, header http.Header) int {
		request := gqltest.Request(t, http.MethodGet, s.URL+"/graphql?query={__typename}", "")
		request.Header = header.Clone()
		if origin != "" {
			request.Header.Set("Origin", origin)
		}
		return gqltest.Do(t, request).Status
	}
	upgrade := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Protocol": {"graphql-transport-ws"}}
	events := http.Header{"Accept": {"text/event-stream"}}
	for _, origin := range []string{"", s.URL, "https://friend.example"} {
		assert.Equal(t, http.StatusSwitchingProtocols, status(origin, upgrade), origin)
		assert.Equal(t, http.StatusOK, status(origin, events), origin)
	}
	for _, origin := range []string{"https://foe.example", "null", "https://friend.example.foe.example"} {
		assert.Equal(t, http.StatusForbidden, status(origin, upgrade), origin)
		assert.Equal(t, http.StatusForbidden, status(origin, events), origin)
	}

	full := startLive(t, func(options *graph.Options) {
		options.Connections = transport.NewConnections(transport.ConnectionOptions{Max: 1})
	})
	full.dialReady(t)
	s.URL = full.URL
	assert.Equal(t, http.StatusServiceUnavailable, status("", upgrade))
	assert.Equal(t, http.StatusServiceUnavailable, status("", events))
}

// TestLive_AStuckReaderIsClosed has a client that subscribes and never reads: the system's
// buffers fill up, and the server closes 10 s later.
func TestLive_AStuckReaderIsClosed(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 1<<20)
	for name, ask := range map[string]func(t *testing.T, s *liveServer, conn net.Conn){
		"WebSocket": func(t *testing.T, s *liveServer, conn net.Conn) {
			c := &client{t: t, ctx: t.Context()}
			dialer := &http.Client{Transport: &http.Transport{
				DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}}
			var err error
			c.conn, _, err = websocket.Dial(t.Context(), s.URL, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}, HTTPClient: dialer})
			require.NoError(t, err)
			c.send(`{"type": "connection_init"}`)
			c.subscribe("a", `subscription($ids: [ID!]!) { jobUpdated(ids: $ids) { ... on Job { name } } }`, liveJob)
		},
		"SSE": func(t *testing.T, s *liveServer, conn net.Conn) {
			fmt.Fprintf(conn, "GET /graphql?query=subscription{jobUpdated(ids:%%22%s%%22){...on%%20Job{name}}} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n", liveJob)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startLive(t, nil)
			conn, err := net.Dial("tcp", s.Listener.Addr().String())
			require.NoError(t, err)
			defer conn.Close()
			ask(t, s, conn)
			changes := 0
			require.Eventually(t, func() bool {
				changes++
				s.jobs.set(liveJob, upstream.StatusPending, fmt.Sprint(changes, big))
				return changes > 10 && s.connections.Open() == 0
			}, time.Minute, 20*time.Millisecond)
		})
	}
}

func TestLive_Cancellation(t *testing.T) {
	t.Parallel()
	s := startLive(t, nil)
	c := s.dialReady(t)
	idle := s.dial(t, nil)
	c.subscribe("a", subscribing, liveJob)
	c.subscribe("b", subscribing, liveJob)
	c.receive()
	c.receive()
	stream := s.stream(t, http.MethodGet, "", subscribing, liveJob)
	stream.next()

	done := make(chan error, 1)
	go func() { done <- s.connections.Shutdown(t.Context()) }()
	assert.ElementsMatch(t, []string{`{"id":"a","type":"complete"}`, `{"id":"b","type":"complete"}`}, []string{c.receive(), c.receive()})
	for _, c := range []*client{c, idle} {
		code, _ := c.closed()
		assert.Equal(t, websocket.StatusGoingAway, code)
	}
	assert.Equal(t, []string{"event: complete", "data: "}, stream.next())
	assert.NoError(t, <-done)
	assert.Zero(t, s.connections.Open())

	assert.Equal(t, http.StatusOK, gqltest.Get(t, s.URL+"/graphql?query={__typename}").Status, "a query that is in flight is answered")
}

func TestLive_ThousandSubscribersCostOnePollerOverWebSockets(t *testing.T) {
	t.Parallel()
	s := startLive(t, func(options *graph.Options) { options.MaxOperations = 100 })
	for range 10 {
		c := s.dialReady(t)
		for i := range 100 {
			c.subscribe(fmt.Sprint(i), subscribing, liveJob)
			c.receive()
		}
	}
	assert.Equal(t, 1, s.poller.Jobs())
}

func TestLive_TooManyWatchedJobs(t *testing.T) {
	t.Parallel()
	s := startLive(t, func(options *graph.Options) {
		options.Poller = poll.New(&jobs{}, poll.Options{MaxJobs: 1})
	})
	c := s.dialReady(t)
	c.subscribe("a", subscribing, "01", "02")
	assert.Contains(t, c.receive(), `"code":"OVERLOADED"`)
	assert.Equal(t, `{"id":"a","type":"complete"}`, c.receive())
}

// A page's WebSocket can send no header: it wants a scenario in the first message.
func TestWebSocket_AScenarioInTheInitPayload(t *testing.T) {
	t.Parallel()
	s := startLive(t, func(o *graph.Options) {
		o.DefaultToken = "abcd"
		o.Scenario = func(token, text string) string {
			assert.Equal(t, "abcd", token)
			assert.Equal(t, "good", text)
			return liveToken
		}
	})
	c := s.dial(t, nil)
	c.send(`{"type": "connection_init", "payload": {"X-Sandbox": "good"}}`)
	require.Equal(t, `{"type":"connection_ack"}`, c.receive())
	c.subscribe("1", subscribing, liveJob)
	assert.Contains(t, c.receive(), `"status":"PENDING"`)
}
