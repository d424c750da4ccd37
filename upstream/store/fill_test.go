package store

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/store/storetest"
)

// lister has a list of so many pending jobs, of so many ids, which takes as long as the test says.
type lister struct {
	source
	jobs, ids int
	took      func()
}

func (l *lister) List(context.Context, upstream.ListRequest) (*upstream.List, error) {
	l.took()
	list := &upstream.List{Read: l.jobs}
	for n := range l.jobs {
		job := upstream.Job{ID: fmt.Sprintf("%02x", n%l.ids), Status: upstream.StatusPending}.Encode()
		list.Jobs = append(list.Jobs, upstream.ListedJob{EncodedJob: job, At: upstream.PositionOf(job)})
	}
	return list, nil
}

func newListing(t *testing.T, jobs int, opts Options) (*Store, *lister, *storetest.Clock) {
	l, now := &lister{jobs: jobs, ids: jobs, took: func() {}}, &storetest.Clock{}
	l.answer = activeJob
	opts.Now = now.Now
	s := New(l, opts)
	t.Cleanup(s.Close)
	return s, l, now
}

func listAll(t *testing.T, s *Store, token string) {
	t.Helper()
	_, err := s.List(t.Context(), upstream.NewListRequest(token, nil, upstream.Selection{}))
	require.NoError(t, err)
}

func TestStore_ALongListIsStoredWholeWhileOthersAskAndAreRefused(t *testing.T) {
	const jobs = 20*fillBatch + 7
	s, l, _ := newListing(t, jobs, Options{SettledTTL: time.Minute, ActiveTTL: time.Second})
	stop, others := make(chan struct{}), sync.WaitGroup{}
	for other := range 4 {
		others.Go(func() {
			token := fmt.Sprintf("%02x", other)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Job(t.Context(), upstream.NewRequest(token, fmt.Sprintf("%02x", n%50))); err != nil {
					t.Error(err)
				}
				s.Forget(upstream.KeyOf(token))
			}
		})
	}
	listAll(t, s, "aa")
	close(stop)
	others.Wait()
	asked := l.calls.Load()
	for n := range jobs {
		_, err := s.Job(t.Context(), upstream.NewRequest("aa", fmt.Sprintf("%02x", n)))
		require.NoError(t, err)
	}
	assert.Equal(t, asked, l.calls.Load(), "all of the list's jobs are served")
}

// A list may take longer than its jobs are served.
func TestStore_AListThatIsSlowerThanItsTTLStoresNoJob(t *testing.T) {
	s, l, now := newListing(t, 10, Options{SettledTTL: time.Minute, ActiveTTL: time.Second})
	l.took = func() { now.Advance(time.Second) }
	listAll(t, s, "aa")
	assert.Equal(t, 1, s.Stats().Entries, "the list's own, which may be joined for a moment")
}

func TestStore_AListOfMoreThanHalfTheRoomEvictsNothing(t *testing.T) {
	s, l, now := newListing(t, 500, Options{ActiveTTL: time.Second, MaxBytes: 64 << 10})
	for n := range 20 {
		_, err := s.Job(t.Context(), upstream.NewRequest("aa", fmt.Sprintf("%02x", n)))
		require.NoError(t, err)
	}
	now.Advance(time.Second / 2)
	l.ids = 1 // only the list itself is large
	listAll(t, s, "aa")
	assert.Zero(t, s.Stats().Evicted)
}

func TestStore_AClockThatIsPutBackKeepsNothingAlive(t *testing.T) {
	store, source, now := newStore(t, activeJob)
	ask := func() {
		_, err := store.Job(t.Context(), upstream.NewRequest("aa", "bb"))
		require.NoError(t, err)
	}
	ask()
	now.Advance(-time.Hour)
	ask()
	assert.EqualValues(t, 2, source.calls.Load())
	ask()
	assert.EqualValues(t, 2, source.calls.Load(), "it is cached as of now")
}

// Requests that were cut off may go on asking while the store is closed.
func TestStore_AnswersWhileItIsClosed(t *testing.T) {
	for range 300 {
		gate := make(chan struct{})
		var held atomic.Bool
		s := New(&source{answer: func(_, id string) (*upstream.EncodedJob, error) {
			if id == "aa" && held.CompareAndSwap(false, true) {
				<-gate
			}
			return settledJob("", id)
		}}, Options{})
		var all sync.WaitGroup
		ask := func(id string) {
			_, err := s.Job(t.Context(), upstream.NewRequest("aa", id))
			if err != nil && upstream.TypeOf(err) != upstream.Unavailable {
				t.Error(err)
			}
		}
		all.Go(func() { ask("aa") })
		runtime.Gosched()
		all.Go(s.Close)
		runtime.Gosched()
		close(gate)
		for range 3 {
			all.Go(func() { ask("bb") })
		}
		all.Wait()
	}
}
