package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
)

// gates is a source whose calls wait until the test opens the id's gate, or their callers leave.
type gates struct {
	byID  map[string]chan struct{}
	began chan string
	ended atomic.Int64
}

func newGates(ids ...string) *gates {
	g := &gates{byID: map[string]chan struct{}{}, began: make(chan string, 2*len(ids))}
	for _, id := range ids {
		g.byID[id] = make(chan struct{})
	}
	return g
}

// await waits until all gates have a call.
func (g *gates) await() {
	for range g.byID {
		<-g.began
	}
}

func (g *gates) open(id string) { close(g.byID[id]) }

func (g *gates) Job(ctx context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	g.began <- r.Key.ID
	defer g.ended.Add(1)
	select {
	case <-g.byID[r.Key.ID]:
		return upstream.Job{ID: r.Key.ID, Status: upstream.StatusPending}.Encode(), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func TestStore_JobsAreGivenAsTheyCome(t *testing.T) {
	ids := []string{"a0", "a1", "a2"}
	source := newGates(ids...)
	s := New(source, Options{})
	defer s.Close()
	given := make(chan string)
	go func() {
		defer close(given)
		asked := []string{ids[0], "", ids[1], ids[2], ids[1]} // one is none, and one twice
		s.Jobs(t.Context(), upstream.NewRequest(testToken, ""), asked, func(n int, job *upstream.EncodedJob, err error) {
			if err != nil {
				given <- fmt.Sprintf("%d %s", n, upstream.TypeOf(err))
				return
			}
			given <- fmt.Sprintf("%d %s", n, job.ID())
		})
	}()
	assert.Equal(t, "1 INVALID_QUERY", <-given, "what needs no call comes first")
	source.await()
	source.open(ids[2])
	assert.Equal(t, "3 a2", <-given)
	source.open(ids[1])
	assert.ElementsMatch(t, []string{"2 a1", "4 a1"}, []string{<-given, <-given})
	source.open(ids[0])
	assert.Equal(t, "0 a0", <-given)
	_, more := <-given
	assert.False(t, more)
}

// TestStore_AWaitForManyJobsTakesNoGoroutines has one caller ask for a hundred jobs: each call has
// a goroutine, and no wait has one.
func TestStore_AWaitForManyJobsTakesNoGoroutines(t *testing.T) {
	ids := make([]string, 100)
	for i := range ids {
		ids[i] = fmt.Sprintf("a%d", i)
	}
	source := newGates(ids...)
	s := New(source, Options{})
	ctx, leave := context.WithCancelCause(t.Context())
	before := runtime.NumGoroutine()
	given, first, all := map[int]int{}, make(chan error, 1), make(chan struct{})
	gone := errors.New("gone")
	go func() {
		defer close(all)
		s.Jobs(ctx, upstream.NewRequest(testToken, ""), ids, func(n int, _ *upstream.EncodedJob, err error) {
			if len(given) == 0 {
				first <- err
			} else {
				assert.ErrorIs(t, err, gone)
			}
			given[n]++
		})
	}()
	source.await()
	assert.Less(t, runtime.NumGoroutine()-before, len(ids)+10)

	source.open(ids[7])
	require.NoError(t, <-first)
	leave(gone)
	<-all
	assert.Equal(t, 1, given[7])
	assert.Len(t, given, len(ids))
	s.Jobs(ctx, upstream.NewRequest(testToken, ""), []string{"b"}, func(_ int, _ *upstream.EncodedJob, err error) {
		assert.ErrorIs(t, err, gone)
	})
	s.Close() // waits for the calls that began
	assert.EqualValues(t, len(ids), source.ended.Load(), "something is asked for who has left")
}

// TestStore_WhoLeavesTakesNoMemory has many callers join a call and leave it, while one waits all
// the time.
func TestStore_WhoLeavesTakesNoMemory(t *testing.T) {
	source := newGates("a")
	leave := func() {}
	s := New(source, Options{ObserveCoalesced: func() { leave() }})
	defer s.Close()
	stays := make(chan error)
	go func() { _, err := s.Job(t.Context(), upstream.NewRequest(testToken, "a")); stays <- err }()
	source.await()
	heap := func() int {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return int(stats.HeapAlloc)
	}
	before := heap()
	for range 10_000 {
		ctx, cancel := context.WithCancel(t.Context())
		leave = cancel
		_, err := s.Job(ctx, upstream.NewRequest(testToken, "a"))
		cancel()
		require.ErrorIs(t, err, context.Canceled)
	}
	assert.Less(t, heap()-before, 500_000)
	source.open("a")
	assert.NoError(t, <-stays)
}

// TestStore_APanicLeavesItsCalls has one in the way of the second of two jobs.
func TestStore_APanicLeavesItsCalls(t *testing.T) {
	source := newGates("a", "b")
	misses := 0
	s := New(source, Options{ObserveMiss: func() {
		if misses++; misses == 2 {
			panic("at the second one")
		}
	}})
	defer s.Close()
	assert.Panics(t, func() {
		s.Jobs(t.Context(), upstream.NewRequest(testToken, ""), []string{"a", "b"}, func(int, *upstream.EncodedJob, error) {})
	})
	eventually(t, func() bool { return source.ended.Load() == 2 }, "the calls go on")
}

// TestStore_ARushLeavesFewGoroutines has each of many calls in a goroutine of its own.
func TestStore_ARushLeavesFewGoroutines(t *testing.T) {
	ids := make([]string, 300)
	for i := range ids {
		ids[i] = fmt.Sprintf("a%d", i)
	}
	source := newGates(ids...)
	s := New(source, Options{})
	defer s.Close()
	before := runtime.NumGoroutine()
	all := make(chan struct{})
	go func() {
		defer close(all)
		s.Jobs(t.Context(), upstream.NewRequest(testToken, ""), ids, func(int, *upstream.EncodedJob, error) {})
	}()
	source.await()
	for _, id := range ids {
		source.open(id)
	}
	<-all
	eventually(t, func() bool { return runtime.NumGoroutine()-before < 64+10 }, "goroutines wait for more work")
	assert.Greater(t, runtime.NumGoroutine()-before, 0, "none is used again")
}
