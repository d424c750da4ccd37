package transport

import (
	"bufio"
	"cmp"
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"

	"jobgraph/graph/clientaddr"
)

// WebSocket serves the protocol graphql-transport-ws, as written down at
// https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md. gqlgen's own
// transport closes with other codes, has no bounds, and a reader that stops
// reading stops it for good.
type WebSocket struct {
	// Connections counts the sockets; needed.
	Connections *Connections
	// Requests is as [HTTP]'s.
	Requests *Requests
	// Init reads connection_init's payload into the context of the operations. Its
	// error closes the socket with 4403 and is shown, and so does the context's deadline;
	// nil: the payload is ignored.
	Init func(ctx context.Context, payload map[string][]any) (context.Context, error)
	// AllowOrigin says whether the request's page may connect; nil: those of the same
	// origin may.
	AllowOrigin func(r *http.Request) bool
	// Limit is as [HTTP]'s.
	Limit func(ctx context.Context) time.Duration
	// MaxOperations bounds the operations under way on one socket; 20.
	MaxOperations int
	// InitTimeout is the time until connection_init must have come; 3 s.
	InitTimeout time.Duration
	// WriteTimeout is how long a reader may take for each 64 KiB, and for the answer to
	// a ping, before its socket is closed; 10 s. Messages that are written without a
	// pause have the time of a [budget.Pace] as well.
	WriteTimeout time.Duration
	// PingInterval is the time between two pings, which keep proxies from closing
	// the connection and find readers that are gone; 25 s.
	PingInterval time.Duration
}

const (
	subprotocol = "graphql-transport-ws"
	// maxMessage bounds a client's message, in bytes.
	maxMessage = 64 << 10
	// maxID bounds an operation's id, in bytes: it is kept, and sent with each message.
	maxID = 256
	// maxReason is what a close frame has room for, in bytes.
	maxReason = 123
)

// The close codes. 1001 and 1013 are WebSocket's own: the server shuts down, and there
// is no place among the live connections. The others are the protocol's.
const (
	closeGoingAway           = websocket.StatusGoingAway
	closeTryAgainLater       = websocket.StatusTryAgainLater
	closeBadMessage          = websocket.StatusCode(4400)
	closeUnauthorized        = websocket.StatusCode(4401)
	closeForbidden           = websocket.StatusCode(4403)
	closeSubprotocol         = websocket.StatusCode(4406)
	closeInitTimeout         = websocket.StatusCode(4408)
	closeDuplicateID         = websocket.StatusCode(4409)
	closeTooManyInitRequests = websocket.StatusCode(4429)
)

var _ graphql.Transport = WebSocket{}

// Supports is gqlgen's question whether the request is this transport's.
func (t WebSocket) Supports(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// Do serves one socket until it is closed.
func (t WebSocket) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	if !fromAllowedOrigin(w, r, t.AllowOrigin) {
		return
	}
	client := clientaddr.Of(r.RemoteAddr)
	if full := t.Connections.check(client); full != nil {
		full.refuse(w)
		return
	}
	below := &hijacker{ResponseWriter: w}
	// The origin has been checked above.
	conn, err := websocket.Accept(below, r, &websocket.AcceptOptions{
		Subprotocols: []string{subprotocol}, InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxMessage)
	t.MaxOperations = cmp.Or(t.MaxOperations, 20)
	t.InitTimeout = cmp.Or(t.InitTimeout, 3*time.Second)
	t.WriteTimeout = cmp.Or(t.WriteTimeout, defaultWriteTimeout)
	t.PingInterval = cmp.Or(t.PingInterval, 25*time.Second)
	s := newSocket(t, conn, below.conn, r, exec)
	slot, ok := t.Connections.begin(client, func() { below.conn.Close() })
	if !ok { // the process has begun to shut down since the check
		s.close(closeGoingAway, "Going away")
		return
	}
	defer slot.release()
	s.slot = slot
	s.serve(r.Context())
}

// hijacker keeps the connection below a WebSocket: its deadlines bound what the
// library would wait longer for, and it can be closed without waiting.
type hijacker struct {
	http.ResponseWriter
	conn net.Conn
}

func (h *hijacker) Hijack() (conn net.Conn, buffer *bufio.ReadWriter, err error) {
	h.conn, buffer, err = http.NewResponseController(h.ResponseWriter).Hijack()
	return h.conn, buffer, err
}
