package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/transport"
)

func TestWebSocket_CloseCodes(t *testing.T) {
	const start = `{"type": "connection_init"}`
	live := subscribe("a", "subscription")
	for _, test := range []struct {
		name   string
		sends  []string
		code   websocket.StatusCode
		reason string
	}{
		{"not JSON", []string{"{"}, 4400, "Invalid message received"},
		{"unknown type", []string{`{"type": "start"}`}, 4400, "Unexpected message type"},
		{"no id", []string{start, subscribe("", "a")}, 4400, "subscribe needs an id and a payload with a query"},
		{"no query", []string{start, subscribe("a", "")}, 4400, "subscribe needs an id and a payload with a query"},
		{"complete without id", []string{start, complete("")}, 4400, "complete needs an id"},
		{"init payload", []string{`{"type": "connection_init", "payload": 1}`}, 4400, "The payload of connection_init must be an object"},
		{"ping payload", []string{`{"type": "ping", "payload": 1}`}, 4400, "The payload of ping must be an object"},
		{"pong payload", []string{`{"type": "pong", "payload": 1}`}, 4400, "The payload of pong must be an object"},
		{"subscribe first", []string{live}, 4401, "Unauthorized"},
		{"forbidden", []string{`{"type": "connection_init", "payload": {"no": true}}`}, 4403, "Forbidden: no"},
		{"no init", nil, 4408, "Connection initialisation timeout"},
		{"same id", []string{start, live, live}, 4409, "Subscriber for a already exists"},
		{"a long id", []string{start, subscribe(strings.Repeat("x", 200), "subscription"), subscribe(strings.Repeat("x", 200), "subscription")}, 4409,
			"Subscriber for " + strings.Repeat("x", 108)},
		{"an id that is too long", []string{start, subscribe(strings.Repeat("x", 257), "subscription")}, 4400, "The id of subscribe has more than 256 bytes"},
		{"init twice", []string{start, start}, 4429, "Too many initialisation requests"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inRoom(t, transport.ConnectionOptions{}, untilDone, func(t *testing.T, r *room) {
				r.Init = func(ctx context.Context, payload map[string][]any) (context.Context, error) {
					if payload["no"] != nil {
						return nil, errors.New("no")
					}
					return ctx, nil
				}
				p, _ := r.dial(alice, "graphql-transport-ws")
				began := time.Now()
				go func() {
					for _, text := range test.sends {
						_ = p.ws.Write(context.Background(), websocket.MessageText, []byte(text))
					}
				}()
				code, reason := p.closed()
				assert.Equal(t, test.code, code)
				assert.Equal(t, test.reason, reason)
				if test.code == 4408 {
					assert.Equal(t, "3s", since(began))
				} else {
					assert.Equal(t, "0s", since(began))
				}
			})
		})
	}
	t.Run("subprotocol", func(t *testing.T) {
		inRoom(t, transport.ConnectionOptions{}, untilDone, func(t *testing.T, r *room) {
			p, _ := r.dial(alice, "graphql-ws")
			code, _ := p.closed()
			assert.Equal(t, websocket.StatusCode(4406), code)
		})
	})
}

func TestWebSocket_Messages(t *testing.T) {
	inRoom(t, transport.ConnectionOptions{}, nil, func(t *testing.T, r *room) {
		answers := make(chan *graphql.Response, 3)
		r.exec.respond = func(context.Context, string) *graphql.Response { return <-answers }
		p := r.open(alice)
		p.send(subscribe("a", "query"))
		answers <- &graphql.Response{Data: []byte(`{"b":"<"}`), Errors: graphql.ErrorResponse(t.Context(), "half").Errors,
			Extensions: map[string]any{"c": 1}}
		assert.Equal(t, `{"id":"a","type":"next","payload":{"errors":[{"message":"half"}],"data":{"b":"<"},"extensions":{"c":1}}}`, p.receive())
		assert.Equal(t, `{"id":"a","type":"complete"}`, p.receive())

		p.send(subscribe("a", "subscription"))
		answers <- &graphql.Response{}
		assert.Equal(t, `{"id":"a","type":"next","payload":{"data":null}}`, p.receive(), "its id is free")
		answers <- nil
		assert.Equal(t, `{"id":"a","type":"complete"}`, p.receive())

		p.send(subscribe("a", "{"))
		assert.Equal(t, `{"id":"a","type":"error","payload":[{"message":"no"}]}`, p.receive())
		p.send(`{"type": "ping", "payload": {"d": 1}}`)
		assert.Equal(t, `{"type":"pong","payload":{"d":1}}`, p.receive())
		p.send(`{"type": "ping", "payload": {"d": {"1": 1e99}, "d": 1}}`)
		assert.Equal(t, `{"type":"pong","payload":{"d":{"1":1e99},"d":1}}`, p.receive(), "as it came")
		for _, payload := range []string{"", `, "payload": null`} {
			p.send(`{"type": "ping"` + payload + `}`)
			assert.Equal(t, `{"type":"pong"}`, p.receive())
		}
	})
}

// What is done before there is an operation runs in a goroutine of its own as well, where a panic
// would end the process.
func TestWebSocket_APanicIsTheOperationsError(t *testing.T) {
	respond := func(context.Context, string) *graphql.Response { panic("while it runs") }
	inRoom(t, transport.ConnectionOptions{}, respond, func(t *testing.T, r *room) {
		for _, query := range []string{"panic", "query", "subscription"} {
			p := r.open(alice)
			p.send(subscribe("a", query))
			assert.Contains(t, p.receive(), `[{"message":"panic: a string`, query)
			p.send(`{"type": "ping"}`)
			for p.receive() != `{"type":"pong"}` { // it may be complete before
			}
		}
	})
}

// flood sends messages until the server takes no more, and gives how many it took.
func (p *peer) flood(text func(i int) string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var taken atomic.Int64
	go func() {
		for i := range 1000 {
			if p.ws.Write(ctx, websocket.MessageText, []byte(text(i))) != nil {
				return
			}
			taken.Add(1)
		}
	}()
	synctest.Wait()
	return int(taken.Load())
}

// What a client is refused, and its pings, are answered by the goroutine that reads:
// a client that does not read is not read.
func TestWebSocket_WhoDoesNotReadIsNotRead(t *testing.T) {
	for name, test := range map[string]struct {
		text  func(i int) string
		taken int
	}{
		"subscribes": {func(i int) string { return subscribe(fmt.Sprint(i), "subscription") }, 2 + 1},
		"pings":      {func(int) string { return `{"type": "ping"}` }, 1},
		"subscribes that are completed": {func(i int) string {
			if i%2 == 0 {
				return subscribe("a", "query")
			}
			return complete("a")
		}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			var running, most atomic.Int64
			inRoom(t, transport.ConnectionOptions{}, func(ctx context.Context, query string) *graphql.Response {
				most.Store(max(most.Load(), running.Add(1)))
				defer running.Add(-1)
				if query == "subscription" {
					return untilDone(ctx, "")
				}
				time.Sleep(time.Second) // the work does not end with its caller
				return data(`"` + strings.Repeat("x", 1<<20) + `"`)
			}, func(t *testing.T, r *room) {
				r.MaxOperations = 2
				p := r.open(alice)
				assert.Equal(t, test.taken, p.flood(test.text))
				assert.LessOrEqual(t, most.Load(), int64(2))
			})
		})
	}
}

// An operation that the client has completed counts until it has ended; the reader
// waits for that, and does not refuse what the protocol allows.
func TestWebSocket_WaitsForCompletedOperations(t *testing.T) {
	inRoom(t, transport.ConnectionOptions{}, nil, func(t *testing.T, r *room) {
		end := make(chan struct{})
		var running atomic.Int64
		r.exec.respond = func(_ context.Context, query string) *graphql.Response {
			running.Add(1)
			defer running.Add(-1)
			if query == "stubborn" {
				<-end
			}
			return data(`1`)
		}
		r.MaxOperations = 2
		p := r.open(alice)
		for _, id := range []string{"a", "b"} {
			p.send(subscribe(id, "stubborn"))
			p.send(complete(id))
		}
		p.send(subscribe("a", "query"))
		synctest.Wait()
		assert.EqualValues(t, 2, running.Load())
		close(end)
		assert.Equal(t, `{"id":"a","type":"next","payload":{"data":1}}`, p.receive())
		assert.Equal(t, `{"id":"a","type":"complete"}`, p.receive())
	})
}

func TestWebSocket_WritesNothingOfCompletedOperations(t *testing.T) {
	inRoom(t, transport.ConnectionOptions{}, nil, func(t *testing.T, r *room) {
		end := make(chan struct{})
		r.exec.respond = func(context.Context, string) *graphql.Response {
			<-end
			return data(`"too late"`)
		}
		p := r.open(alice)
		for i := range 10 {
			p.send(subscribe(fmt.Sprint(i), "query"))
			p.send(complete(fmt.Sprint(i)))
		}
		synctest.Wait()
		close(end)
		synctest.Wait()
		p.send(`{"type": "ping"}`)
		assert.Equal(t, `{"type":"pong"}`, p.receive())
	})
}

func TestWebSocket_Pings(t *testing.T) {
	inRoom(t, transport.ConnectionOptions{}, untilDone, func(t *testing.T, r *room) {
		reader, mute := r.open(alice), r.open(alice)
		ctx := reader.ws.CloseRead(t.Context()) // answers pings
		began := time.Now()
		_, err := io.Copy(io.Discard, mute.conn) // reads pings, and does not answer
		assert.NoError(t, err)
		assert.Equal(t, "35s", since(began), "25 s until the ping, 10 s for its answer")
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.NoError(t, ctx.Err())
		assert.Equal(t, 1, r.connections.Open())
	})
}

// A ping that stands behind an answer in the network is answered later.
func TestWebSocket_PingsWaitForWhatStandsBefore(t *testing.T) {
	const size = 4 * 64 << 10
	inRoom(t, transport.ConnectionOptions{}, func(context.Context, string) *graphql.Response {
		return data(`"` + strings.Repeat("x", size) + `"`)
	}, func(t *testing.T, r *room) {
		p := r.open(alice)
		p.send(subscribe("a", "query"))
		began := time.Now()
		_, err := io.Copy(io.Discard, p.conn)
		assert.NoError(t, err)
		assert.Equal(t, "1m15s", since(began), "25 s until the ping, 10 s for its answer, 40 s for what was sent before")
	})
}

func TestWebSocket_DeadlineFollowsTheReader(t *testing.T) {
	const size = 1 << 20
	respond := func(context.Context, string) *graphql.Response {
		return data(`"` + strings.Repeat("x", size) + `"`)
	}
	for pace, whole := range map[time.Duration]bool{3 * time.Second: true, 9 * time.Second: false, 11 * time.Second: false} {
		inRoom(t, transport.ConnectionOptions{}, respond, func(t *testing.T, r *room) {
			p := r.open(alice)
			p.send(subscribe("a", "query"))
			assert.Equal(t, whole, readSlowly(p.conn, size, pace) >= size, "64 KiB each %s", pace)
		})
	}
	inRoom(t, transport.ConnectionOptions{}, respond, func(t *testing.T, r *room) {
		p := r.open(alice)
		p.send(subscribe("a", "query"))
		time.Sleep(10*time.Second - time.Nanosecond)
		synctest.Wait()
		assert.Equal(t, 1, r.connections.Open())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		assert.Zero(t, r.connections.Open(), "who reads nothing is cut off after 10 s")
	})
}

// readSlowly reads 64 KiB at each pace in small steps, until size bytes or the end.
func readSlowly(from io.Reader, size int, pace time.Duration) (read int) {
	for read < size {
		time.Sleep(pace / 64)
		n, err := io.ReadFull(from, make([]byte, 1<<10))
		read += n
		if err != nil {
			break
		}
	}
	return read
}

// Of the states that come while its client does not read, a subscription keeps none.
func TestWebSocket_AsksForOneStateAtATime(t *testing.T) {
	var asked atomic.Int64
	inRoom(t, transport.ConnectionOptions{}, func(context.Context, string) *graphql.Response {
		return data(fmt.Sprint(asked.Add(1)))
	}, func(t *testing.T, r *room) {
		p := r.open(alice)
		p.send(subscribe("a", "subscription"))
		synctest.Wait()
		assert.EqualValues(t, 1, asked.Load())
		p.receive()
		synctest.Wait()
		assert.EqualValues(t, 2, asked.Load())
	})
}

func TestWebSocket_ForeignOrigin(t *testing.T) {
	inRoom(t, transport.ConnectionOptions{}, untilDone, func(t *testing.T, r *room) {
		r.WebSocket.AllowOrigin = func(*http.Request) bool { return false }
		_, status := r.dial(alice, "graphql-transport-ws")
		assert.Equal(t, http.StatusForbidden, status)
		require.Zero(t, r.connections.Open())
	})
}
