package group_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"jobgraph/upstream/group"
	"jobgraph/upstream/replay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errCanceled = errors.New("canceled")

// executions are the calls under way by key, as those see them who lead one.
type executions struct {
	t       *testing.T
	group   group.Group[string, string]
	workers sync.WaitGroup

	mu      sync.Mutex
	current map[string]*group.Call[string]
	ended   atomic.Int64 // calls whose context ended before they were complete
}

// TestGroup_Properties has random callers join, leave and complete: nobody is given
// another key's value, no two joinable calls for a key run at once, who stays gets a
// value, and a call is canceled if and only if all its callers have left.
func TestGroup_Properties(t *testing.T) {
	s := replay.Seed(t)
	x := &executions{t: t, current: map[string]*group.Call[string]{}}
	var callers sync.WaitGroup
	for n := range uint64(12) {
		callers.Go(func() {
			random := rand.New(rand.NewPCG(s, n))
			for range 400 {
				x.ask(random)
			}
		})
	}
	callers.Wait()
	x.workers.Wait()
	assert.Zero(t, x.group.Len(), "a call was left behind")
	assert.NotZero(t, x.ended.Load(), "no call was ever left by all its callers")
}

func (x *executions) ask(random *rand.Rand) {
	key := []string{"a", "b", "c"}[random.IntN(3)]
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if random.IntN(2) == 0 {
		defer time.AfterFunc(time.Duration(random.IntN(300))*time.Microsecond, cancel).Stop()
	}
	took := time.Duration(random.IntN(300)) * time.Microsecond
	c, leads := x.group.Join(ctx, key, func(c *group.Call[string]) bool {
		return assert.NoError(x.t, c.Context().Err(), "a canceled call can be joined")
	})
	if leads {
		x.begin(key, c)
		x.workers.Go(func() { x.execute(key, c, took) })
	}
	select {
	case <-c.Done():
		// Only a call that everybody has left may have been canceled.
		assert.Equal(x.t, key, c.Value())
	case <-ctx.Done():
		x.group.Release(key, c)
	}
}

// begin asserts that a call for the key which somebody waits for runs alone.
func (x *executions) begin(key string, c *group.Call[string]) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if c.Context().Err() != nil {
		return // left already: its successor may have begun
	}
	if other := x.current[key]; other != nil {
		assert.Error(x.t, other.Context().Err(), "a second call for the key")
	}
	x.current[key] = c
}

func (x *executions) execute(key string, c *group.Call[string], took time.Duration) {
	value := key
	select {
	case <-time.After(took):
	case <-c.Context().Done():
		x.ended.Add(1)
		value = errCanceled.Error()
	}
	x.mu.Lock()
	if x.current[key] == c {
		delete(x.current, key)
	}
	x.mu.Unlock()
	x.group.Complete(key, c, value)
}

func TestGroup_LastCallerOutCancels(t *testing.T) {
	var g group.Group[int, int]
	any := func(*group.Call[int]) bool { return true }
	first, leads := g.Join(t.Context(), 1, any)
	require.True(t, leads)
	second, leads := g.Join(t.Context(), 1, any)
	require.False(t, leads)
	require.Same(t, first, second)
	g.Release(1, first)
	require.NoError(t, first.Context().Err(), "one caller is left")
	g.Release(1, first)
	require.Error(t, first.Context().Err())
	third, leads := g.Join(t.Context(), 1, any)
	assert.True(t, leads, "a canceled call is not joined")
	g.Complete(1, first, 0) // the canceled one ends late and must not remove its successor
	fourth, leads := g.Join(t.Context(), 1, any)
	assert.False(t, leads)
	assert.Same(t, third, fourth)
	g.Complete(1, third, 7)
	<-fourth.Done()
	assert.Equal(t, 7, fourth.Value())
}

func TestGroup_CallOutlivesItsFirstCallersContext(t *testing.T) {
	var g group.Group[int, int]
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	c, _ := g.Join(ctx, 1, nil)
	cancel()
	assert.NoError(t, c.Context().Err())
	assert.Equal(t, "value", c.Context().Value(key{}))
	g.Complete(1, c, 0)
}

type key struct{}

func TestGroup_RefusedCallIsReplaced(t *testing.T) {
	var g group.Group[int, int]
	old, _ := g.Join(t.Context(), 1, nil)
	next, leads := g.Join(t.Context(), 1, func(*group.Call[int]) bool { return false })
	assert.True(t, leads)
	assert.NotSame(t, old, next)
	assert.NoError(t, old.Context().Err(), "its own callers still wait")
	g.Complete(1, old, 1)
	assert.Equal(t, 1, g.Len())
	g.Complete(1, next, 2)
	assert.Equal(t, 1, old.Value())
	assert.Equal(t, 2, next.Value())
}
