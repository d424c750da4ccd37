package transport_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"

	"jobgraph/graph/transport"
)

func TestShutdown_Drains(t *testing.T) {
	respond := func(ctx context.Context, query string) *graphql.Response {
		if query == "subscription" {
			return untilDone(ctx, "")
		}
		time.Sleep(5 * time.Second)
		return data("1")
	}
	inRoom(t, transport.ConnectionOptions{}, respond, func(t *testing.T, r *room) {
		pending, _ := r.dial(alice, "graphql-transport-ws")
		idle, live, busy := r.open(alice), r.open(alice), r.open(alice)
		live.send(subscribe("a", "subscription"))
		busy.send(subscribe("a", "query"))
		_, events := r.stream("subscription")
		assert.Equal(t, ":", line(t, events))
		synctest.Wait()

		began := time.Now()
		done := make(chan error, 1)
		go func() { done <- r.connections.Shutdown(t.Context()) }()
		for name, p := range map[string]*peer{"pending": pending, "idle": idle} {
			code, _ := p.closed()
			assert.Equal(t, websocket.StatusGoingAway, code, name)
		}
		assert.Equal(t, `{"id":"a","type":"complete"}`, live.receive())
		code, _ := live.closed()
		assert.Equal(t, websocket.StatusGoingAway, code)
		assert.Equal(t, "event: complete", line(t, events))
		_, _ = io.Copy(io.Discard, events)
		assert.Equal(t, "0s", since(began))

		synctest.Wait()
		assert.Equal(t, 1, r.connections.Open())
		events503, socket503 := r.status(bob)
		assert.Equal(t, http.StatusServiceUnavailable, events503)
		assert.Equal(t, http.StatusServiceUnavailable, socket503)
		assert.Equal(t, `{"id":"a","type":"next","payload":{"data":1}}`, busy.receive(), "a query in flight is answered")
		assert.Equal(t, `{"id":"a","type":"complete"}`, busy.receive())
		code, _ = busy.closed()
		assert.Equal(t, websocket.StatusGoingAway, code)
		assert.NoError(t, <-done)
		assert.Equal(t, "5s", since(began))
	})
}

// Who reads nothing, or does not answer the closing handshake, has 2 s.
func TestShutdown_DoesNotWaitForTheDeaf(t *testing.T) {
	respond := func(ctx context.Context, query string) *graphql.Response {
		if query == "subscription" {
			return untilDone(ctx, "")
		}
		return data(`"` + strings.Repeat("x", 1<<20) + `"`)
	}
	for name, begin := range map[string]func(r *room){
		"a WebSocket's answer": func(r *room) { r.open(alice).send(subscribe("a", "query")) },
		"a stream's answer":    func(r *room) { r.stream("query") },
		"a WebSocket's refusal": func(r *room) {
			r.WebSocket.MaxOperations = 1
			p := r.open(alice)
			p.send(subscribe("a", "subscription"))
			p.send(subscribe("b", "subscription"))
		},
		"an idle WebSocket":   func(r *room) { r.open(alice) },
		"a pending WebSocket": func(r *room) { r.dial(alice, "graphql-transport-ws") },
		"a mute WebSocket":    func(r *room) { go io.Copy(io.Discard, r.open(alice).conn) },
	} {
		t.Run(name, func(t *testing.T) {
			inRoom(t, transport.ConnectionOptions{}, respond, func(t *testing.T, r *room) {
				begin(r)
				synctest.Wait()
				began := time.Now()
				assert.NoError(t, r.connections.Shutdown(t.Context()))
				assert.Equal(t, "2s", since(began))
			})
		})
	}
}

func TestShutdown_EndsWithItsContext(t *testing.T) {
	inRoom(t, transport.ConnectionOptions{}, nil, func(t *testing.T, r *room) {
		end := make(chan struct{})
		r.exec.respond = func(context.Context, string) *graphql.Response {
			<-end
			return nil
		}
		p := r.open(alice)
		p.send(subscribe("a", "query"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, r.connections.Shutdown(ctx), context.DeadlineExceeded)
		close(end)
		p.ws.CloseRead(t.Context())
	})
}
