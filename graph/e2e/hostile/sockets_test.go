package hostile_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

// another is the address of a client that does no harm; hostile ones have 127.0.0.1.
const another = "127.0.0.2"

// dialFrom opens a WebSocket from a local address. Below it, the kernel reads little.
func dialFrom(ctx context.Context, p *program.Program, address string) (*websocket.Conn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
		connection, err := dialer.DialContext(ctx, network, to)
		if err == nil {
			err = connection.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		return connection, err
	}}}
	socket, _, err := websocket.Dial(ctx, p.URL+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}, HTTPClient: client})
	return socket, err
}

// ready is a WebSocket after connection_init; its client reads what it is asked to.
func ready(ctx context.Context, t *testing.T, p *program.Program, address string) *websocket.Conn {
	socket, err := dialFrom(ctx, p, address)
	require.NoError(t, err)
	require.NoError(t, socket.Write(ctx, websocket.MessageText, []byte(`{"type": "connection_init"}`)))
	_, text, err := socket.Read(ctx)
	require.NoError(t, err)
	require.Equal(t, `{"type":"connection_ack"}`, string(text))
	return socket
}

// requireSubscribed has a client at the address subscribe and be told.
func requireSubscribed(ctx context.Context, t *testing.T, p *program.Program, address string) {
	socket := ready(ctx, t, p, address)
	defer socket.CloseNow()
	require.NoError(t, socket.Write(ctx, websocket.MessageText, []byte(liveSubscribe("a"))))
	_, text, err := socket.Read(ctx)
	require.NoError(t, err)
	require.Contains(t, string(text), `{"id":"a","type":"next","payload":{"data":{"jobUpdated":{`)
}

func liveSubscribe(id string) string {
	return fmt.Sprintf(`{"id": %q, "type": "subscribe", "payload": {"query": "subscription { jobUpdated(ids: \"10000000000000000000000000000002\") { __typename } }"}}`, id)
}

// TestHostileSockets_SubscribesWithoutEnd is a client that subscribes over --max-operations, and
// never reads.
func TestHostileSockets_SubscribesWithoutEnd(t *testing.T) {
	p := spawn(t)
	hostile(t, p, func(ctx context.Context) {
		socket := ready(ctx, t, p, "127.0.0.1")
		defer socket.CloseNow()
		writing, stop := context.WithTimeout(ctx, 5*time.Second)
		defer stop()
		sent := 0
		for ; sent < 100_000; sent++ {
			if socket.Write(writing, websocket.MessageText, []byte(liveSubscribe(fmt.Sprint(sent)))) != nil {
				break
			}
		}
		t.Logf("%d subscribes were sent", sent)
		assert.Less(t, sent, 100_000, "who does not read is read all the same")
	})
}

// TestHostileSockets_CompletedOperationsWithoutEnd is a client that subscribes 20 times and completes
// them, again and again, and never reads.
func TestHostileSockets_CompletedOperationsWithoutEnd(t *testing.T) {
	p := fatJobs(t)
	hostile(t, p, func(ctx context.Context) {
		socket := ready(ctx, t, p, "127.0.0.1")
		defer socket.CloseNow()
		writing, stop := context.WithTimeout(ctx, 20*time.Second)
		defer stop()
		sent := 0
		for err := error(nil); err == nil && sent < 30*20; {
			round := sent
			for ; err == nil && sent < round+20; sent++ {
				err = socket.Write(writing, websocket.MessageText, []byte(fmt.Sprintf(
					`{"id": "%d", "type": "subscribe", "payload": %s}`, sent, fatQuestion(t, sent))))
			}
			program.Pause(writing, 200*time.Millisecond) // they get as far as they get
			for i := round; err == nil && i < sent; i++ {
				err = socket.Write(writing, websocket.MessageText, []byte(fmt.Sprintf(`{"id": "%d", "type": "complete"}`, i)))
			}
		}
		t.Logf("%d subscribes were sent", sent)
	})
}

// TestHostileSockets_FatAnswersThatNobodyReads is a client that asks for fat answers over many
// sockets, as many as each may at a time, and never reads. A socket has two goroutines, and
// each query that is executed or waits for that has one.
func TestHostileSockets_FatAnswersThatNobodyReads(t *testing.T) {
	const sockets, executed, waiting = 60, 256, 384
	p := spawn(t)
	hostileUpTo(t, p, 2*sockets+executed+waiting+50, func(ctx context.Context) {
		var askers sync.WaitGroup
		for i := range sockets {
			socket := ready(ctx, t, p, "127.0.0.1")
			defer socket.CloseNow()
			askers.Go(func() {
				for n := range 20 {
					assert.NoError(t, socket.Write(ctx, websocket.MessageText, []byte(fmt.Sprintf(
						`{"id": "%d", "type": "subscribe", "payload": %s}`, n, fatQuestion(t, 20*i+n)))))
				}
			})
		}
		askers.Wait()
		requireCut(ctx, t, p)
	})
}

// TestHostileSockets_PingsThatTakeMuchToDecode is a client whose pings have thousands of objects, behind an
// answer that it does not read.
func TestHostileSockets_PingsThatTakeMuchToDecode(t *testing.T) {
	ping := []byte(`{"type": "ping", "payload": {"a": [` + strings.Repeat(`{"":0},`, 9000) + `0]}}`)
	p := fatJobs(t)
	hostile(t, p, func(ctx context.Context) {
		writing, stop := context.WithTimeout(ctx, 5*time.Second)
		defer stop()
		var askers sync.WaitGroup
		for i := range 80 {
			socket := ready(ctx, t, p, "127.0.0.1")
			defer socket.CloseNow()
			askers.Go(func() {
				err := socket.Write(writing, websocket.MessageText, []byte(fmt.Sprintf(`{"id": "a", "type": "subscribe", "payload": %s}`, fatQuestion(t, i))))
				for err == nil {
					err = socket.Write(writing, websocket.MessageText, ping)
				}
			})
		}
		askers.Wait()
	})
}

// TestHostileSockets_SocketsWithoutInit is a client that opens a thousand WebSockets and says nothing.
func TestHostileSockets_SocketsWithoutInit(t *testing.T) {
	p := spawn(t)
	hostile(t, p, func(ctx context.Context) {
		for i := range 1000 {
			socket, err := dialFrom(ctx, p, "127.0.0.1")
			require.NoError(t, err)
			defer socket.CloseNow()
			if i%100 == 99 {
				requireSubscribed(ctx, t, p, another)
				requireSubscribed(ctx, t, p, "127.0.0.1")
			}
		}
	})
}

// TestHostileSockets_StreamsWithHalfABody is a client that asks for 60 event streams of 50 that may
// be open, and never sends more than a byte of its questions.
func TestHostileSockets_StreamsWithHalfABody(t *testing.T) {
	p := spawn(t, "--max-connections", "50")
	hostile(t, p, func(ctx context.Context) {
		for range 60 {
			if connection := deaf(ctx, t, p, "POST /graphql HTTP/1.1\r\nHost: "+strings.TrimPrefix(p.URL, "http://")+
				"\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"); connection != nil {
				defer connection.Close()
			}
		}
		for range 5 {
			requireStream(ctx, t, p)
			requireSubscribed(ctx, t, p, "127.0.0.1")
			program.Pause(ctx, 100*time.Millisecond)
		}
	})
}

// TestHostileSockets_OneClientsConnections has one client open what it may, which leaves room for others.
func TestHostileSockets_OneClientsConnections(t *testing.T) {
	p := spawn(t, "--max-connections-per-client", "20")
	ctx, stop := context.WithTimeout(t.Context(), program.Timeout)
	defer stop()
	for range 20 {
		defer ready(ctx, t, p, "127.0.0.1").CloseNow()
	}
	_, err := dialFrom(ctx, p, "127.0.0.1")
	assert.ErrorContains(t, err, "429")
	requireSubscribed(ctx, t, p, another)
}

// requireStream asks for an event stream and reads its first event.
func requireStream(ctx context.Context, t *testing.T, p *program.Program) {
	request := gqltest.Request(t, http.MethodPost, p.URL+"/graphql",
		`{"query": "subscription { jobUpdated(ids: \"10000000000000000000000000000002\") { __typename } }"}`,
		"Accept", "text/event-stream", "Content-Type", "application/json")
	response := gqltest.Open(t, request.WithContext(ctx))
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "data: ") {
			require.Contains(t, lines.Text(), `{"data":{"jobUpdated":{`)
			return
		}
	}
	_, _ = io.Copy(io.Discard, response.Body)
	t.Error("the stream ended without an event")
}
