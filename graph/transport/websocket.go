package transport

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
)

// WebSocket serves the protocol graphql-transport-ws, as written down at
// https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md. gqlgen's own
// transport closes with other codes, has no bounds, and a reader that stops
// reading stops it for good.
type WebSocket struct {
	// Connections counts the sockets; needed.
	Connections *Connections
	// Init reads connection_init's payload into the context of the operations. Its
	// error closes the socket with 4403 and is shown; nil: the payload is ignored.
	Init func(ctx context.Context, payload map[string]any) (context.Context, error)
	// AllowOrigin says whether the request's page may connect; nil: those of the same
	// origin may.
	AllowOrigin func(r *http.Request) bool
	// MaxOperations bounds the operations under way on one socket; 20.
	MaxOperations int
	// InitTimeout is the time until connection_init must have come; 3 s.
	InitTimeout time.Duration
	// WriteTimeout closes the socket of a reader that has stopped reading; 10 s.
	WriteTimeout time.Duration
	// PingInterval is the time between two pings, which keep proxies from closing
	// the connection and find readers that are gone; 25 s.
	PingInterval time.Duration
}

const (
	subprotocol = "graphql-transport-ws"
	// maxMessage bounds a client's message, in bytes.
	maxMessage = 64 << 10
	// maxReason is what a close frame has room for, in bytes.
	maxReason = 123
)

// The protocol's close codes. 1001 is WebSocket's own: the server is leaving.
const (
	closeGoingAway           = websocket.StatusGoingAway
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
	if !fromAllowedOrigin(w, r, t.AllowOrigin) || !t.Connections.enter(w) {
		return
	}
	defer t.Connections.exit()
	// The origin has been checked above.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{subprotocol}, InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	if conn.Subprotocol() != subprotocol {
		conn.Close(closeSubprotocol, "Subprotocol not acceptable")
		return
	}
	conn.SetReadLimit(maxMessage)
	t.MaxOperations = cmp.Or(t.MaxOperations, 20)
	t.InitTimeout = cmp.Or(t.InitTimeout, 3*time.Second)
	t.WriteTimeout = cmp.Or(t.WriteTimeout, defaultWriteTimeout)
	t.PingInterval = cmp.Or(t.PingInterval, 25*time.Second)
	newSocket(t, conn, r, exec).serve(r.Context())
}
