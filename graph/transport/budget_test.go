package transport_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/budget"
	"jobgraph/graph/transport"
)

const answerSize = 128 << 10

// fromBudget takes what an answer has, as the executor does.
func fromBudget(b *budget.Budget, size int) func(ctx context.Context, query string) *graphql.Response {
	answer := data(`"` + strings.Repeat("x", size-2) + `"`)
	return func(ctx context.Context, _ string) *graphql.Response {
		if err := budget.HoldFrom(ctx).Open(b).Reserve(size); err != nil {
			return b.Refused(err)
		}
		return &graphql.Response{Data: answer.Data}
	}
}

// An answer counts until its last byte has been written; who comes meanwhile has the
// operation's error.
func TestBudget_AnswersCountUntilTheyAreWritten(t *testing.T) {
	const refused = `"code":"OVERLOADED"`
	for name, read := range map[string]func(t *testing.T, r *room){
		"a WebSocket": func(t *testing.T, r *room) {
			p := r.open(alice)
			p.send(subscribe("a", "query"))
			synctest.Wait()
			_, events := r.stream("query")
			text, err := io.ReadAll(events)
			require.NoError(t, err)
			assert.Contains(t, string(text), refused)
			assert.Len(t, p.receive(), answerSize+len(`{"id":"a","type":"next","payload":{"data":}}`))
			assert.Equal(t, `{"id":"a","type":"complete"}`, p.receive())
		},
		"an event stream": func(t *testing.T, r *room) {
			_, events := r.stream("query")
			synctest.Wait()
			p := r.open(alice)
			p.send(subscribe("a", "query"))
			assert.Contains(t, p.receive(), refused)
			assert.Equal(t, `{"id":"a","type":"complete"}`, p.receive())
			_, err := io.Copy(io.Discard, events)
			require.NoError(t, err)
		},
		"a WebSocket whose client has completed it": func(t *testing.T, r *room) {
			p := r.open(alice)
			p.send(subscribe("a", "query"))
			synctest.Wait()
			p.send(complete("a"))
			synctest.Wait()
			_, events := r.stream("query")
			text, err := io.ReadAll(events)
			require.NoError(t, err)
			assert.Contains(t, string(text), refused, "it was begun, and is sent whole")
			p.receive()
		},
		"a WebSocket that is cut off": func(t *testing.T, r *room) {
			r.open(alice).send(subscribe("a", "query"))
			time.Sleep(10 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := budget.New(answerSize+answerSize/2, answerSize)
			inRoom(t, transport.ConnectionOptions{}, fromBudget(b, answerSize), func(t *testing.T, r *room) {
				read(t, r)
				synctest.Wait()
				assert.Zero(t, b.InUse())
			})
		})
	}
}

// Eight readers who take just enough of each unit hold all of the budget for little
// more than a minute.
func TestBudget_SlowReadersHoldItForAMinute(t *testing.T) {
	const size, slow = budget.DefaultAnswer, 9 * time.Second
	for name, ask := range map[string]func(r *room, read func(from io.Reader)){
		"eight WebSockets": func(r *room, read func(from io.Reader)) {
			for range 8 {
				p := r.open(alice)
				p.send(subscribe("a", "query"))
				read(p.conn)
			}
		},
		"eight operations of one WebSocket": func(r *room, read func(from io.Reader)) {
			p := r.open(alice)
			for i := range 8 {
				p.send(subscribe(fmt.Sprint(i), "query"))
			}
			read(p.conn)
		},
		"eight event streams": func(r *room, read func(from io.Reader)) {
			for range 8 {
				_, events := r.stream("query")
				read(events)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := budget.New(8*size, size)
			inRoom(t, transport.ConnectionOptions{}, fromBudget(b, size), func(t *testing.T, r *room) {
				var reading sync.WaitGroup
				ask(r, func(from io.Reader) { reading.Go(func() { readSlowly(from, 8*size, slow) }) })
				time.Sleep(time.Minute - time.Second)
				synctest.Wait()
				assert.EqualValues(t, 8*size, b.InUse())
				time.Sleep(3 * time.Second)
				synctest.Wait()
				assert.Zero(t, b.InUse())
				reading.Wait()
			})
		})
	}
}

// The time is for what is sent: who takes 320 KiB a second gets it all, however much it
// is. Answers that wait for others have no time of their own.
func TestBudget_AReaderThatGoesOnIsNotCut(t *testing.T) {
	const size = budget.DefaultAnswer
	for pace, whole := range map[time.Duration]bool{200 * time.Millisecond: true, 700 * time.Millisecond: false} {
		b := budget.New(8*size, size)
		inRoom(t, transport.ConnectionOptions{}, fromBudget(b, size), func(t *testing.T, r *room) {
			p := r.open(alice)
			for i := range 8 {
				p.send(subscribe(fmt.Sprint(i), "query"))
			}
			assert.Equal(t, whole, readSlowly(p.conn, 8*size, pace) == 8*size, "64 KiB each %s", pace)
		})
	}
}

// What was sent before a pause does not count.
func TestBudget_AnswersWithPausesHaveATimeEach(t *testing.T) {
	const size = 1 << 20
	b := budget.New(0, 0)
	inRoom(t, transport.ConnectionOptions{}, fromBudget(b, size), func(t *testing.T, r *room) {
		p := r.open(alice)
		for range 3 {
			p.send(subscribe("a", "query"))
			assert.Equal(t, size, readSlowly(p.conn, size, 3*time.Second))
			require.NoError(t, p.conn.SetReadDeadline(time.Now().Add(time.Second)))
			_, _ = io.Copy(io.Discard, p.conn) // the message's end, and what completes it
			require.NoError(t, p.conn.SetReadDeadline(time.Time{}))
		}
	})
}

// An answer that waits for another one to be written is of no use to anybody once its
// operation is completed: it is not held until the other's reader has read.
func TestBudget_WhatIsCompletedIsNotHeldForItsTurn(t *testing.T) {
	b := budget.New(4*answerSize, answerSize)
	inRoom(t, transport.ConnectionOptions{}, fromBudget(b, answerSize), func(t *testing.T, r *room) {
		p := r.open(alice)
		for _, id := range []string{"a", "b", "c"} {
			p.send(subscribe(id, "query"))
			synctest.Wait()
		}
		assert.EqualValues(t, 3*answerSize, b.InUse())
		p.send(complete("b"))
		synctest.Wait()
		assert.EqualValues(t, 2*answerSize, b.InUse())
		var received []string
		for range 4 {
			text := p.receive()
			received = append(received, text[:len(`{"id":"a","type":"n`)])
		}
		assert.ElementsMatch(t, []string{`{"id":"a","type":"n`, `{"id":"a","type":"c`, `{"id":"c","type":"n`, `{"id":"c","type":"c`}, received)
	})
}
