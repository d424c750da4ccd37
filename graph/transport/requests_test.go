package transport_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/transport"
)

// largeStream asks for an event stream with a text of so many bytes, and gives the status.
func (r *room) largeStream(address string, bytes int) (net.Conn, int) {
	conn := r.connect(address)
	body := `{"query": "subscription` + strings.Repeat(" ", bytes) + `"}`
	go func() {
		_, _ = fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: room\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			len(body), body)
	}()
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	require.NoError(r.t, err)
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	return conn, response.StatusCode
}

// TestRequests_LargeOnesAreBounded has one client keep as many large requests as it can.
func TestRequests_LargeOnesAreBounded(t *testing.T) {
	const size = 200 << 10
	inRoom(t, transport.ConnectionOptions{}, untilDone, func(t *testing.T, r *room) {
		r.SSE.Requests = transport.NewRequests(256 << 10)
		r.WebSocket.Requests = r.SSE.Requests
		var taken []net.Conn
		for range 300 {
			conn, status := r.largeStream(alice, size)
			if status != http.StatusOK {
				assert.Equal(t, http.StatusServiceUnavailable, status)
				break
			}
			taken = append(taken, conn)
		}
		for status := http.StatusOK; status == http.StatusOK; { // fill what is left
			_, status = r.largeStream(alice, 20<<10)
		}
		assert.InDelta(t, 24<<20/(size-16<<10), len(taken), 2, "three quarters of 32 MiB")

		_, status := r.largeStream(alice, 10<<10)
		assert.Equal(t, http.StatusOK, status, "a small request of the same client")
		_, status = r.largeStream("192.0.2.200:1", size)
		assert.Equal(t, http.StatusOK, status, "a large one of another client")
		p := r.open(alice)
		p.send(subscribe("a", "subscription"+strings.Repeat(" ", 50<<10)))
		assert.Contains(t, p.receive(), `{"id":"a","type":"error","payload":[{"message":"This server is reading as many large requests`)
		p.send(subscribe("a", "{"))
		assert.Contains(t, p.receive(), `"message":"no"`, "a small one after it")
		other, _ := r.dial(alice, "graphql-transport-ws")
		other.send(`{"type": "connection_init", "payload": {"a": [` + strings.Repeat(`{},`, 15_000) + `0]}}`)
		code, _ := other.closed()
		assert.EqualValues(t, 1013, code, "a large payload of connection_init")
		other = r.open(alice)
		other.send(`{"type": "ping", "payload": {"a": "` + strings.Repeat("x", 60_000) + `"}}`)
		code, _ = other.closed()
		assert.EqualValues(t, 1013, code, "a large ping")

		for _, conn := range taken[:2] {
			conn.Close()
		}
		synctest.Wait()
		p.send(subscribe("b", "subscription"+strings.Repeat(" ", 50<<10)))
		p.send(`{"type": "complete", "id": "b"}`)
		p.send(`{"type": "ping"}`)
		assert.Equal(t, `{"type":"pong"}`, p.receive(), "there is room again")
	})
}

// TestRequests_CountUntilTheirEnd has more of them one after the other than fit at once.
func TestRequests_CountUntilTheirEnd(t *testing.T) {
	respond := func(ctx context.Context, query string) *graphql.Response {
		if strings.HasPrefix(query, "subscription") {
			return untilDone(ctx, query)
		}
		return data("1")
	}
	inRoom(t, transport.ConnectionOptions{}, respond, func(t *testing.T, r *room) {
		r.SSE.Requests = transport.NewRequests(256 << 10)
		r.WebSocket.Requests = r.SSE.Requests
		for range 300 {
			conn, status := r.largeStream(alice, 200<<10)
			require.Equal(t, http.StatusOK, status)
			conn.Close()
			synctest.Wait()
		}
		p := r.open(alice)
		for i := range 1000 {
			p.send(subscribe(fmt.Sprint(i), "query"+strings.Repeat(" ", 60<<10)))
			require.Equal(t, fmt.Sprintf(`{"id":"%d","type":"next","payload":{"data":1}}`, i), p.receive())
			require.Equal(t, fmt.Sprintf(`{"id":"%d","type":"complete"}`, i), p.receive())
		}
	})
}
