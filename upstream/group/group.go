// Package group has equal calls share one execution. Unlike x/sync/singleflight's, an
// execution belongs to all who wait for it: who leaves ends its own wait alone, and the
// last one out cancels the execution.
package group

import (
	"context"
	"slices"
	"sync"
)

// Call is one execution under way. Join, Release, Notify, StopNotify and Complete are called with
// its owner's mutex held, which is a [Group]'s or that of another table of calls.
type Call[V any] struct {
	ctx     context.Context
	cancel  context.CancelFunc
	callers int
	done    chan struct{} // closed when value is set
	waiters []waiter
	value   V
}

// waiter is sent a number of its own.
type waiter struct {
	ready chan<- int
	n     int
}

// NewCall returns a call with one caller. It has ctx's values, but not its end.
func NewCall[V any](ctx context.Context) *Call[V] {
	c := &Call[V]{callers: 1, done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return c
}

// Context ends when the last caller has left, or with Complete.
func (c *Call[V]) Context() context.Context { return c.ctx }

// Join adds a caller. Nobody may join a call that has been canceled.
func (c *Call[V]) Join() { c.callers++ }

// Notify has n sent when the call is complete, to one who waits for several calls; the channel
// must have room for it.
func (c *Call[V]) Notify(ready chan<- int, n int) {
	c.waiters = append(c.waiters, waiter{ready, n})
}

// StopNotify has nothing more sent to the channel.
func (c *Call[V]) StopNotify(ready chan<- int) {
	c.waiters = slices.DeleteFunc(c.waiters, func(w waiter) bool { return w.ready == ready })
}

// Callers is how many wait.
func (c *Call[V]) Callers() int { return c.callers }

// Release takes one caller away. The last one cancels the call: the owner removes it
// from its table in the same critical section, so that nobody joins what is about to fail.
func (c *Call[V]) Release() (last bool) {
	if c.callers--; c.callers > 0 {
		return false
	}
	c.cancel()
	return true
}

// Complete hands the value to all who wait. It is called once, after the owner has
// removed the call from its table.
func (c *Call[V]) Complete(value V) {
	c.cancel()
	c.value = value
	close(c.done)
	for _, w := range c.waiters {
		w.ready <- w.n
	}
	c.waiters = nil
}

// Cancel ends the execution for all its callers, who still get what it completes with.
func (c *Call[V]) Cancel() { c.cancel() }

// Done is closed when the call is complete.
func (c *Call[V]) Done() <-chan struct{} { return c.done }

// Value is what the call was completed with. It may be asked for after Done.
func (c *Call[V]) Value() V { return c.value }

// Group is a table of calls by key. The zero value is ready.
type Group[K comparable, V any] struct {
	mu    sync.Mutex
	calls map[K]*Call[V]
}

// Join joins the key's call, or makes one that others join: leads says so, and the
// caller must execute it and call [Group.Complete]. Where joinable refuses the call under
// way, the new one takes its place. joinable must not use the group.
func (g *Group[K, V]) Join(ctx context.Context, key K, joinable func(*Call[V]) bool) (c *Call[V], leads bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.calls[key]; c != nil && joinable(c) {
		c.Join()
		return c, false
	}
	if g.calls == nil {
		g.calls = map[K]*Call[V]{}
	}
	c = NewCall[V](ctx)
	g.calls[key] = c
	return c, true
}

// Complete hands the value to all who wait, and says whether anybody does; who comes later
// makes a new call.
func (g *Group[K, V]) Complete(key K, c *Call[V], value V) (waited bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(key, c)
	c.Complete(value)
	return c.callers > 0
}

// Release takes one caller away; the last one cancels the call. Who has taken its value
// may release it as well, to say that it does not use it any more.
func (g *Group[K, V]) Release(key K, c *Call[V]) (last bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if last = c.Release(); last {
		g.remove(key, c)
	}
	return last
}

// remove takes the call out of the table, where it may have been replaced already.
func (g *Group[K, V]) remove(key K, c *Call[V]) {
	if g.calls[key] == c {
		delete(g.calls, key)
	}
}

// Callers is how many wait for the calls that can be joined.
func (g *Group[K, V]) Callers() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.calls {
		n += c.callers
	}
	return n
}

// Len is how many calls can be joined.
func (g *Group[K, V]) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.calls)
}
