package web_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/serve/web"
)

// A WebSocket is over for Leave before its handler has returned, and its line of the
// log comes later still.
func TestServe_TheEndWaitsForHandlersOfHijackedConnections(t *testing.T) {
	left, hijacked, returned := make(chan struct{}), make(chan struct{}), atomic.Bool{}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		assert.NoError(t, err)
		close(hijacked)
		<-left
		connection.Close()
		time.Sleep(50 * time.Millisecond) // the end, did it not wait, comes first
		returned.Store(true)
	})
	listener, err := web.Listen("the test", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- web.Serve(ctx, slog.New(slog.DiscardHandler), web.Server{Listener: listener, Handler: handler,
			Shutdown: func(context.Context) error { close(left); return nil }})
	}()
	connection, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	<-hijacked
	stop()
	require.NoError(t, <-done)
	assert.True(t, returned.Load())
}
