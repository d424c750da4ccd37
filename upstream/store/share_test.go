package store

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/store/storetest"
)

// tiered answers what a second tier does: what was fetched a while ago.
type tiered struct {
	calls   int
	fetched func() int64 // 0: it is asked of the job API
	name    string
	during  func()
}

func (s *tiered) Job(_ context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	s.calls++
	name := s.name
	*r.Began = s.fetched()
	if s.during != nil && !r.Fresh {
		s.during()
	}
	return upstream.Job{ID: "aa", Status: upstream.StatusPending, Name: &name}.Encode(), nil
}

func newTiered(t *testing.T) (*Store, *tiered, *storetest.Clock) {
	source, now := &tiered{fetched: func() int64 { return 0 }}, &storetest.Clock{}
	s := New(source, Options{SettledTTL: time.Minute, ActiveTTL: time.Second, Now: now.Now})
	t.Cleanup(s.Close)
	now.Advance(time.Hour)
	return s, source, now
}

func nameOf(t *testing.T, s *Store, fresh bool) string {
	t.Helper()
	r := upstream.NewRequest("aa", "aa")
	r.Fresh = fresh
	job, err := s.Job(t.Context(), r)
	require.NoError(t, err)
	return *job.Name()
}

func TestShared_HasTheRestOfItsLifetime(t *testing.T) {
	s, source, now := newTiered(t)
	source.fetched = func() int64 { return now.Now() - int64(700*time.Millisecond) }
	var reads ReadSet
	_, err := s.Job(WithReadSet(t.Context(), &reads), upstream.NewRequest("aa", "aa"))
	require.NoError(t, err)
	assert.Equal(t, 300*time.Millisecond, reads.Remaining())
	now.Advance(299 * time.Millisecond)
	nameOf(t, s, false)
	assert.Equal(t, 1, source.calls)
	now.Advance(time.Millisecond)
	nameOf(t, s, false)
	assert.Equal(t, 2, source.calls)
}

func TestShared_NeverTakesTheFutureForNow(t *testing.T) {
	s, source, now := newTiered(t)
	source.fetched = func() int64 { return now.Now() + int64(time.Hour) }
	nameOf(t, s, false)
	now.Advance(time.Second)
	nameOf(t, s, false)
	assert.Equal(t, 2, source.calls)
}

// A request that reads the second tier may come back with less than is known by then.
func TestShared_NeverReplacesWhatIsYounger(t *testing.T) {
	s, source, now := newTiered(t)
	source.name = "old"
	source.fetched = func() int64 { return now.Now() - int64(100*time.Millisecond) }
	source.during = func() {
		source.during, source.fetched, source.name = nil, func() int64 { return 0 }, "new"
		assert.Equal(t, "new", nameOf(t, s, true))
		source.name = "newer"
	}
	nameOf(t, s, false)
	assert.Equal(t, "new", nameOf(t, s, false))
	assert.Equal(t, 2, source.calls)
}

// A call of the job API that began before the second tier was asked says something newer than it did.
func TestShared_ACallUnderWayReplacesIt(t *testing.T) {
	s, source, now := newTiered(t)
	began, proceed := make(chan struct{}), make(chan struct{})
	source.fetched, source.name = func() int64 { close(began); <-proceed; return 0 }, "new"
	fresh := make(chan string)
	go func() { fresh <- nameOf(t, s, true) }()
	<-began
	source.fetched, source.name = func() int64 { return now.Now() - int64(100*time.Millisecond) }, "old"
	r := upstream.NewRequest("aa", "aa")
	s.mu.Lock()
	delete(s.calls, s.slots[digestOf(r.Key)]) // as if its caller had left: nobody joins it
	s.mu.Unlock()
	assert.Equal(t, "old", nameOf(t, s, false))
	close(proceed)
	assert.Equal(t, "new", <-fresh)
	assert.Equal(t, "new", nameOf(t, s, false))
}
