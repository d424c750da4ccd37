package responsecache_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/responsecache"
)

// gate holds the job API's answers back until it is opened.
type gate struct {
	open chan struct{}
	once sync.Once
	left chan struct{} // one for each call that was given up
}

func newGate(t *testing.T) *gate {
	g := &gate{open: make(chan struct{}), left: make(chan struct{}, 100)}
	t.Cleanup(g.release)
	return g
}

func (g *gate) release() { g.once.Do(func() { close(g.open) }) }

func (g *gate) answer(r *http.Request, token, id string) (int, string) {
	select {
	case <-g.open:
		return plain(r, token, id)
	case <-r.Context().Done():
		g.left <- struct{}{}
		return http.StatusServiceUnavailable, ""
	}
}

// client is one caller's request under way.
type client struct {
	gqltest.Answer
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func (w *world) begin(t *testing.T, o operation) *client {
	ctx, cancel := context.WithCancel(t.Context())
	c := &client{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		defer cancel()
		c.Answer, c.err = w.do(ctx, t, o)
	}()
	return c
}

func (c *client) answer(t *testing.T) string {
	t.Helper()
	<-c.done
	require.NoError(t, c.err)
	require.Equal(t, http.StatusOK, c.Status, c.Body)
	return c.Body
}

func repeated(s string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = s
	}
	return list
}

func TestResponseCache_EqualOperationsAtOnceAreExecutedOnce(t *testing.T) {
	for name, settings := range map[string][]setting{"with the cache": nil, "without": {withoutCache}} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t)
			w := newWorld(t, g.answer, settings...)
			var clients []*client
			for i := range 5 {
				clients = append(clients, w.begin(t, jobs("aa", "bb", "aa")))
				w.untilWaiting(t, int64(i+1))
			}
			g.release()
			first := clients[0].answer(t)
			assert.Contains(t, first, oneToken)
			for _, c := range clients[1:] {
				assert.Equal(t, first, c.answer(t))
			}
			assert.ElementsMatch(t, []string{"aa", "bb"}, w.calls())
			assert.Equal(t, repeated(responsecache.InFlight, 4), w.shares())
			assert.EqualValues(t, 5, w.answers.Load(), "each answer is counted")
		})
	}
}

func TestResponseCache_TheFirstCallersCancellationHarmsNobody(t *testing.T) {
	g := newGate(t)
	w := newWorld(t, g.answer)
	first := w.begin(t, jobs("aa"))
	w.untilWaiting(t, 1)
	second := w.begin(t, jobs("aa"))
	w.untilWaiting(t, 2)
	third := w.begin(t, jobs("aa"))
	w.untilWaiting(t, 3)
	first.cancel()
	<-first.done
	third.cancel()
	<-third.done
	// One that comes after the first has left joins as well.
	fourth := w.begin(t, jobs("aa"))
	w.untilWaiting(t, 4)
	g.release()
	assert.Contains(t, second.answer(t), oneToken)
	assert.NotContains(t, second.Body, "errors")
	assert.Equal(t, second.Body, fourth.answer(t))
	assert.Equal(t, []string{"aa"}, w.calls())
	assert.Empty(t, g.left)
}

func TestResponseCache_TheLastCallersCancellationEndsTheExecution(t *testing.T) {
	g := newGate(t)
	w := newWorld(t, g.answer)
	var clients []*client
	for i := range 3 {
		clients = append(clients, w.begin(t, jobs("aa")))
		w.untilWaiting(t, int64(i+1))
	}
	for _, c := range clients {
		c.cancel()
		<-c.done
	}
	<-g.left // the call was given up
	late := w.begin(t, jobs("aa"))
	w.untilWaiting(t, 4)
	g.release()
	assert.Contains(t, late.answer(t), oneToken, "who comes later begins anew")
	assert.NotContains(t, late.Body, "errors")
	assert.Equal(t, []string{"aa", "aa"}, w.calls())
}

func TestResponseCache_WhatIsNotEqualIsNotShared(t *testing.T) {
	g := newGate(t)
	w := newWorld(t, g.answer)
	two := `query A($ids: [ID!]!) { job(ids: $ids) { ... on Job { name } } } query B($ids: [ID!]!) { job(ids: $ids) { ... on Job { id } } }`
	variables := map[string]any{"ids": []string{"1"}}
	operations := []operation{
		{token: oneToken, query: names, variables: variables},
		{token: twoToken, query: names, variables: variables},
		{token: oneToken, query: names + " ", variables: variables},
		{token: oneToken, query: names, variables: map[string]any{"ids": []int{1}}},
		{token: oneToken, query: names, variables: map[string]any{"ids": []string{"1", "1"}}},
		{token: oneToken, query: names, variables: map[string]any{"ids": []string{"2"}}},
		{token: oneToken, query: two, name: "A", variables: variables},
		{token: oneToken, query: two, name: "B", variables: variables},
		{token: oneToken, query: names, variables: variables, fresh: true},
	}
	var clients []*client
	for i, o := range operations {
		clients = append(clients, w.begin(t, o))
		w.untilWaiting(t, int64(i+1))
	}
	g.release()
	for i, c := range clients {
		body := c.answer(t)
		if o := operations[i]; o.name != "B" {
			assert.Contains(t, body, o.token)
			assert.NotContains(t, body, other(o.token))
		}
	}
	assert.Empty(t, w.shares())
	shared := operations[:len(operations)-1] // the fresh one is not
	for range 2 {
		w.shares()
		for i, o := range shared {
			assert.Equal(t, clients[i].Body, w.ask(t, o))
		}
	}
	assert.Equal(t, repeated(responsecache.Cached, len(shared)), w.shares(), "each is shared by itself")
}

func other(token string) string {
	if token == oneToken {
		return twoToken
	}
	return oneToken
}

// A thousand callers need one execution and one place among those in flight.
func TestResponseCache_AThousandAtOnce(t *testing.T) {
	for name, settings := range map[string][]setting{"with the cache": nil, "without": {withoutCache}} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t)
			w := newWorld(t, g.answer, settings...)
			const callers = 1000
			var clients []*client
			for i := range int64(callers) {
				clients = append(clients, w.begin(t, jobs("aa", "bb")))
				if i%100 == 99 { // fewer than places: nobody is refused for coming at once
					w.untilWaiting(t, i+1)
				}
			}
			g.release()
			for _, c := range clients {
				assert.Equal(t, clients[0].answer(t), c.answer(t))
			}
			assert.Equal(t, 2, strings.Count(clients[0].Body, oneToken))
			assert.ElementsMatch(t, []string{"aa", "bb"}, w.calls())
			assert.Equal(t, repeated(responsecache.InFlight, callers-1), w.shares())
		})
	}
}
