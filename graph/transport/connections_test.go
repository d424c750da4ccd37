package transport_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/transport"
)

const (
	alice = "192.0.2.1:1"
	bob   = "192.0.2.2:1"
)

// status is what a request for an event stream, or for a WebSocket, is answered with.
func (r *room) status(address string) (events, socket int) {
	r.t.Helper()
	conn, answer := r.request(address, get("subscription"))
	response, err := http.ReadResponse(answer, nil)
	require.NoError(r.t, err)
	conn.Close()
	synctest.Wait()
	p, socket := r.dial(address, "graphql-transport-ws")
	p.conn.Close()
	synctest.Wait()
	return response.StatusCode, socket
}

func TestConnections_AreBoundedForAllAndForEachClient(t *testing.T) {
	inRoom(t, transport.ConnectionOptions{Max: 3, MaxPerClient: 2}, untilDone, func(t *testing.T, r *room) {
		first := r.open(alice)
		stream, answer := r.request("192.0.2.1:2", get("subscription"))
		_, err := answer.ReadString('\n')
		require.NoError(t, err)
		for _, address := range []string{alice, "[::ffff:192.0.2.1]:7"} {
			events, socket := r.status(address)
			assert.Equal(t, http.StatusTooManyRequests, events, address)
			assert.Equal(t, http.StatusTooManyRequests, socket, address)
		}
		events, socket := r.status(bob)
		assert.Equal(t, http.StatusOK, events)
		assert.Equal(t, http.StatusSwitchingProtocols, socket)

		r.open(bob)
		assert.Equal(t, 3, r.connections.Open())
		events, socket = r.status("192.0.2.3:1")
		assert.Equal(t, http.StatusServiceUnavailable, events)
		assert.Equal(t, http.StatusServiceUnavailable, socket)

		stream.Close()
		first.ws.CloseNow()
		synctest.Wait()
		assert.Equal(t, 1, r.connections.Open())
		r.open(alice)
		r.open(alice)
	})
}

func TestConnections_AClientIsAnIPv6NetworkOf64Bits(t *testing.T) {
	inRoom(t, transport.ConnectionOptions{MaxPerClient: 1}, untilDone, func(t *testing.T, r *room) {
		r.open("[2001:db8::1]:1")
		_, socket := r.status("[2001:db8::ffff:1]:1")
		assert.Equal(t, http.StatusTooManyRequests, socket)
		_, socket = r.status("[2001:db8:0:1::1]:1")
		assert.Equal(t, http.StatusSwitchingProtocols, socket)
	})
}

func TestConnections_WithoutABoundForEachClientOneMayHaveThemAll(t *testing.T) {
	inRoom(t, transport.ConnectionOptions{Max: 150}, untilDone, func(t *testing.T, r *room) {
		for range 150 {
			r.open(alice)
		}
		assert.Equal(t, 150, r.connections.Open())
	})
}

// Neither a WebSocket before connection_init nor a stream whose body is under way
// takes a place that another could have.
func TestConnections_OnlyWhatIsWholeTakesASlot(t *testing.T) {
	inRoom(t, transport.ConnectionOptions{Max: 1}, untilDone, func(t *testing.T, r *room) {
		early, _ := r.dial(alice, "graphql-transport-ws")
		for range 5 {
			r.dial(alice, "graphql-transport-ws")
			r.request(alice, "POST /graphql HTTP/1.1\r\n%sContent-Length: 100\r\n\r\n{")
		}
		synctest.Wait()
		assert.Zero(t, r.connections.Open())
		conn, answer := r.request(bob, get("subscription"))
		line, err := answer.ReadString('\n')
		require.NoError(t, err)
		assert.Equal(t, "HTTP/1.1 200 OK\r\n", line)
		assert.Equal(t, 1, r.connections.Open())

		early.send(`{"type": "connection_init"}`)
		code, reason := early.closed()
		assert.Equal(t, websocket.StatusTryAgainLater, code)
		assert.Equal(t, "No more connections are taken. Try again later.", reason)
		conn.Close()
	})
}

// Whoever opens one too many costs a place of the address that has the most.
func TestConnections_PendingSocketsAreEvicted(t *testing.T) {
	inRoom(t, transport.ConnectionOptions{MaxPerClient: 200}, untilDone, func(t *testing.T, r *room) {
		bobs, _ := r.dial(bob, "graphql-transport-ws")
		synctest.Wait()
		var alices []*peer
		for i := range 150 {
			p, status := r.dial(fmt.Sprintf("192.0.2.1:%d", 1+i), "graphql-transport-ws")
			require.Equal(t, http.StatusSwitchingProtocols, status)
			alices = append(alices, p)
			synctest.Wait() // one after the other
		}
		for i, p := range alices[:51] {
			_, err := p.conn.Read(make([]byte, 1))
			assert.ErrorIs(t, err, io.EOF, "%d: the oldest are closed", i)
		}
		for _, p := range append(alices[51:], bobs) {
			p.send(`{"type": "connection_init"}`)
			assert.Equal(t, `{"type":"connection_ack"}`, p.receive())
		}
		assert.Equal(t, 100, r.connections.Open())
	})
}

func TestConnections_RefusedRequestsForStreams(t *testing.T) {
	inRoom(t, transport.ConnectionOptions{}, untilDone, func(t *testing.T, r *room) {
		conn, answer := r.request(alice, "POST /graphql HTTP/1.1\r\n%sContent-Length: 2\r\n\r\n{}")
		response, err := http.ReadResponse(answer, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		assert.Equal(t, http.StatusBadRequest, response.StatusCode)
		assert.True(t, strings.HasPrefix(string(body), `{"errors":[{"message":"There is no query.`), "%s", body)
		conn.Close()
		assert.Zero(t, r.connections.Open())
	})
}
