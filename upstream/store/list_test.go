package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/store"
)

// listing is a source whose answers tests give one by one: each call waits for its own.
type listing struct {
	mu    sync.Mutex
	calls []*listCall
}

type listCall struct {
	id     string // "" for a list's
	answer chan string
}

// ask gives what the call's answer is, once the test has given it.
func (l *listing) ask(ctx context.Context, id string) (string, error) {
	c := &listCall{id, make(chan string, 1)}
	l.mu.Lock()
	l.calls = append(l.calls, c)
	l.mu.Unlock()
	select {
	case name := <-c.answer:
		if name == "" {
			return "", &upstream.Error{Type: upstream.Unavailable}
		}
		return name, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (l *listing) Job(ctx context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	name, err := l.ask(ctx, r.Key.ID)
	if err != nil {
		return nil, err
	}
	return upstream.Job{ID: r.Key.ID, Name: &name, Status: upstream.StatusPending}.Encode(), nil
}

// List has the job 0a alone.
func (l *listing) List(ctx context.Context, _ upstream.ListRequest) (*upstream.List, error) {
	name, err := l.ask(ctx, "")
	if err != nil {
		return nil, err
	}
	job := upstream.Job{ID: "0a", Name: &name, Status: upstream.StatusPending}.Encode()
	return &upstream.List{Jobs: []upstream.ListedJob{{EncodedJob: job, At: upstream.PositionOf(job)}}, Read: 1}, nil
}

// call is the n-th call, which has begun.
func (l *listing) call(t *testing.T, n int) *listCall {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Greater(t, len(l.calls), n)
	return l.calls[n]
}

func (l *listing) count() int {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.calls)
}

func listRequest(token string, selection upstream.Selection) upstream.ListRequest {
	return upstream.NewListRequest(token, nil, selection)
}

// withListing runs the test over a store that keeps jobs for a second.
func withListing(t *testing.T, test func(t *testing.T, l *listing, s *store.Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &listing{}
		s := store.New(l, store.Options{ActiveTTL: time.Second, SettledTTL: time.Minute})
		defer s.Close()
		test(t, l, s)
	})
}

// named is the job's name as the store has it, "" where it would have to ask.
func named(t *testing.T, l *listing, s *store.Store, token string) string {
	t.Helper()
	before := l.count()
	ctx, cancel := context.WithCancel(t.Context())
	name := make(chan string, 1)
	go func() {
		job, err := s.Job(ctx, upstream.NewRequest(token, "0a"))
		if err != nil {
			name <- ""
			return
		}
		name <- *job.Name()
	}()
	synctest.Wait()
	asked := l.count() > before
	cancel()
	got := <-name
	if asked {
		return ""
	}
	return got
}

func TestStore_AListFillsTheStoreForItsTokenAndIsKept(t *testing.T) {
	withListing(t, func(t *testing.T, l *listing, s *store.Store) {
		var wait sync.WaitGroup
		for range 3 { // equal lists in flight are one call
			wait.Go(func() {
				list, err := s.List(t.Context(), listRequest("aa11", upstream.Selection{}))
				assert.NoError(t, err)
				assert.Equal(t, "one", *list.Jobs[0].Name())
			})
		}
		l.call(t, 0).answer <- "one"
		wait.Wait()
		assert.Equal(t, 1, l.count())
		assert.Equal(t, "one", named(t, l, s, "aa11"))
		assert.Empty(t, named(t, l, s, "bb22"), "another token's")
		_, err := s.List(t.Context(), listRequest("aa11", upstream.Selection{}))
		require.NoError(t, err)
		time.Sleep(time.Second)
		assert.Empty(t, named(t, l, s, "aa11"), "it is as old as the list")
	})
}

func TestStore_AListSaysNothingOfAJobThatWasLookedAtMeanwhile(t *testing.T) {
	withListing(t, func(t *testing.T, l *listing, s *store.Store) {
		go func() { _, _ = s.List(t.Context(), listRequest("aa11", upstream.Selection{})) }()
		list := l.call(t, 0)
		go func() { _, _ = s.Job(t.Context(), upstream.NewRequest("aa11", "0a")) }()
		l.call(t, 1).answer <- "newer"
		synctest.Wait()
		list.answer <- "older"
		synctest.Wait()
		assert.Equal(t, "newer", named(t, l, s, "aa11"))
		// A list that begins now is newer, and a look that began before it says nothing more.
		fresh := upstream.NewRequest("aa11", "0a")
		fresh.Fresh = true
		go func() { _, _ = s.Job(t.Context(), fresh) }()
		slow := l.call(t, 2)
		again := listRequest("aa11", upstream.Selection{})
		again.Fresh = true
		go func() { _, _ = s.List(t.Context(), again) }()
		l.call(t, 3).answer <- "newest"
		synctest.Wait()
		slow.answer <- "overtaken"
		synctest.Wait()
		assert.Equal(t, "newest", named(t, l, s, "aa11"))
	})
}

// What is forgotten may have been told to somebody all the same.
func TestStore_AListSaysNothingOfAJobThatIsForgotten(t *testing.T) {
	withListing(t, func(t *testing.T, l *listing, s *store.Store) {
		go func() { _, _ = s.List(t.Context(), listRequest("aa11", upstream.Selection{})) }()
		list := l.call(t, 0)
		go func() { _, _ = s.Job(t.Context(), upstream.NewRequest("aa11", "0a")) }()
		l.call(t, 1).answer <- "newer"
		synctest.Wait()
		time.Sleep(5 * time.Second)
		go func() { _, _ = s.Job(t.Context(), upstream.NewRequest("aa11", "0b")) }() // which evicts
		l.call(t, 2).answer <- "other"
		synctest.Wait()
		list.answer <- "older"
		synctest.Wait()
		assert.Empty(t, named(t, l, s, "aa11"))
	})
}

func TestStore_AListOfNamedJobsIsNotKept(t *testing.T) {
	withListing(t, func(t *testing.T, l *listing, s *store.Store) {
		request := listRequest("aa11", upstream.Selection{Only: func(string) bool { return true }})
		for n := range 2 {
			go func() { _, _ = s.List(t.Context(), request) }()
			l.call(t, n).answer <- "one"
			synctest.Wait()
		}
		assert.Equal(t, 2, l.count())
		assert.Equal(t, "one", named(t, l, s, "aa11"), "its jobs are")
	})
}

func TestStore_AFailedListIsNotKept(t *testing.T) {
	withListing(t, func(t *testing.T, l *listing, s *store.Store) {
		for n := range 2 {
			failed := make(chan error, 1)
			go func() {
				_, err := s.List(t.Context(), listRequest("aa11", upstream.Selection{}))
				failed <- err
			}()
			l.call(t, n).answer <- ""
			assert.Equal(t, upstream.Unavailable, upstream.TypeOf(<-failed))
		}
		_, err := s.List(t.Context(), listRequest("no token", upstream.Selection{}))
		assert.Equal(t, upstream.BadAPIToken, upstream.TypeOf(err))
		assert.False(t, errors.Is(err, context.Canceled))
		assert.Equal(t, 2, l.count())
	})
}
