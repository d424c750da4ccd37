package transport_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/transport"
)

// executor runs operations by asking respond for one response after the other; nil
// ends one. A query that begins with "subscription" is one, "{" does not parse, and "panic" panics
// meanwhile.
type executor struct {
	respond func(ctx context.Context, query string) *graphql.Response
}

func (e executor) CreateOperationContext(_ context.Context, params *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	operation := &graphql.OperationContext{RawQuery: params.Query, Operation: &ast.OperationDefinition{Operation: ast.Query}}
	switch {
	case params.Query == "{":
		return operation, gqlerror.List{{Message: "no"}}
	case params.Query == "panic":
		panic("before it is one")
	case strings.HasPrefix(params.Query, "subscription"):
		operation.Operation.Operation = ast.Subscription
	}
	return operation, nil
}

func (e executor) DispatchOperation(ctx context.Context, operation *graphql.OperationContext) (graphql.ResponseHandler, context.Context) {
	return func(ctx context.Context) *graphql.Response { return e.respond(ctx, operation.RawQuery) }, ctx
}

func (executor) DispatchError(_ context.Context, errs gqlerror.List) *graphql.Response {
	return &graphql.Response{Errors: errs}
}

func data(text string) *graphql.Response { return &graphql.Response{Data: json.RawMessage(text)} }

// untilDone answers when the operation is cancelled, and that with nothing.
func untilDone(ctx context.Context, _ string) *graphql.Response {
	<-ctx.Done()
	return nil
}

// room serves both transports in a bubble, where time passes as soon as everybody
// waits, over pipes, which hold no byte that is not being read.
type room struct {
	transport.WebSocket
	transport.SSE
	exec        executor
	connections *transport.Connections

	t     *testing.T
	conns chan net.Conn
	gone  chan struct{}
}

func inRoom(t *testing.T, options transport.ConnectionOptions, respond func(ctx context.Context, query string) *graphql.Response, test func(t *testing.T, r *room)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &room{t: t, exec: executor{respond}, connections: transport.NewConnections(options),
			conns: make(chan net.Conn), gone: make(chan struct{})}
		r.WebSocket.Connections, r.SSE.Connections = r.connections, r.connections
		server := &http.Server{Handler: r}
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(r) })
		t.Cleanup(func() {
			require.NoError(t, r.connections.Shutdown(context.Background()))
			require.Zero(t, r.connections.Open())
			server.Close()
			serving.Wait()
		})
		test(t, r)
	})
}

func (r *room) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if r.WebSocket.Supports(request) {
		r.WebSocket.Do(w, request, r.exec)
	} else {
		r.SSE.Do(w, request, r.exec)
	}
}

// A room is its own listener.
func (r *room) Accept() (net.Conn, error) {
	select {
	case conn := <-r.conns:
		return conn, nil
	case <-r.gone:
		return nil, net.ErrClosed
	}
}
func (r *room) Close() error   { close(r.gone); return nil }
func (r *room) Addr() net.Addr { return &net.TCPAddr{} }

// from is a pipe whose other end is at an address.
type from struct {
	net.Conn
	remote net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.remote }

func (r *room) connect(address string) net.Conn {
	client, server := net.Pipe()
	remote, err := net.ResolveTCPAddr("tcp", cmp.Or(address, "192.0.2.1:1"))
	require.NoError(r.t, err)
	r.conns <- from{server, remote}
	r.t.Cleanup(func() { client.Close() })
	return client
}

// peer is a client by hand: conn is its end of the pipe, below the WebSocket.
type peer struct {
	t    *testing.T
	ws   *websocket.Conn
	conn net.Conn
}

// dial opens a WebSocket. The status is 101 where there is one.
func (r *room) dial(address, protocol string) (*peer, int) {
	r.t.Helper()
	p := &peer{t: r.t, conn: r.connect(address)}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return p.conn, nil }}}
	ws, response, err := websocket.Dial(r.t.Context(), "ws://room/graphql", &websocket.DialOptions{Subprotocols: []string{protocol}, HTTPClient: client})
	require.NotNil(r.t, response, "%v", err)
	if err == nil {
		p.ws = ws
		ws.SetReadLimit(-1)
		r.t.Cleanup(func() { ws.CloseNow() })
	}
	return p, response.StatusCode
}

// open is a WebSocket after its connection_init.
func (r *room) open(address string) *peer {
	r.t.Helper()
	p, status := r.dial(address, "graphql-transport-ws")
	require.Equal(r.t, http.StatusSwitchingProtocols, status)
	p.send(`{"type": "connection_init"}`)
	require.Equal(r.t, `{"type":"connection_ack"}`, p.receive())
	return p
}

func (p *peer) send(text string) {
	p.t.Helper()
	require.NoError(p.t, p.ws.Write(p.t.Context(), websocket.MessageText, []byte(text)))
}

func subscribe(id, query string) string {
	return fmt.Sprintf(`{"id": %q, "type": "subscribe", "payload": {"query": %q}}`, id, query)
}

func complete(id string) string { return fmt.Sprintf(`{"id": %q, "type": "complete"}`, id) }

func (p *peer) receive() string {
	p.t.Helper()
	_, text, err := p.ws.Read(p.t.Context())
	require.NoError(p.t, err)
	return string(text)
}

// closed reads on until the server closes.
func (p *peer) closed() (code websocket.StatusCode, reason string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Hour) // of the test's own time: pings go on for ever
	defer cancel()
	for {
		_, _, err := p.ws.Read(ctx)
		var closed websocket.CloseError
		if err != nil {
			require.ErrorAs(p.t, err, &closed)
			return closed.Code, closed.Reason
		}
	}
}

// request sends a request for an event stream, and gives what comes back.
func (r *room) request(address, text string) (net.Conn, *bufio.Reader) {
	conn := r.connect(address)
	_, err := fmt.Fprintf(conn, text, "Host: room\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n")
	require.NoError(r.t, err)
	return conn, bufio.NewReader(conn)
}

func get(query string) string { return "GET /graphql?query=" + query + " HTTP/1.1\r\n%s\r\n" }

// since is how much of the bubble's time has passed.
func since(start time.Time) string { return time.Since(start).String() }
