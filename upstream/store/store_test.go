package store

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"jobgraph/upstream"
	"jobgraph/upstream/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source answers with what the test says, and counts.
type source struct {
	calls  atomic.Int64
	answer func(token, id string) (*upstream.EncodedJob, error)
}

func (s *source) Job(_ context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	s.calls.Add(1)
	return s.answer(r.Token, r.Key.ID)
}

func newStore(t *testing.T, answer func(token, id string) (*upstream.EncodedJob, error)) (*Store, *source, *storetest.Clock) {
	s, now := &source{answer: answer}, &storetest.Clock{}
	c := New(s, Options{SettledTTL: time.Minute, ActiveTTL: time.Second, Now: now.Now})
	t.Cleanup(c.Close)
	return c, s, now
}

func activeJob(string, string) (*upstream.EncodedJob, error) {
	return upstream.Job{ID: "aa", Status: upstream.StatusPending}.Encode(), nil
}

func settledJob(string, string) (*upstream.EncodedJob, error) {
	return upstream.Job{ID: "aa", Status: upstream.StatusComplete, ReturnDate: new(time.Now())}.Encode(), nil
}

var (
	// start is where the test's clock begins.
	start   = time.Unix(0, 0)
	targets = []upstream.ReturnTarget{{Kind: "url"}}
)

func complete(targets []upstream.ReturnTarget, since ...time.Time) func(string, string) (*upstream.EncodedJob, error) {
	job := upstream.Job{ID: "aa", Status: upstream.StatusComplete, ReturnTargets: targets}
	if len(since) > 0 {
		job.CompletedDate = &since[0]
	}
	return func(string, string) (*upstream.EncodedJob, error) { return job.Encode(), nil }
}

func fails(errorType upstream.ErrorType) func(string, string) (*upstream.EncodedJob, error) {
	return func(string, string) (*upstream.EncodedJob, error) { return nil, &upstream.Error{Type: errorType} }
}

func TestStore_HowLongAResultIsServed(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(string, string) (*upstream.EncodedJob, error)
		kept   time.Duration
	}{
		"active":               {activeJob, time.Second},
		"settled":              {settledJob, time.Minute},
		"complete, no targets": {complete(nil), time.Minute},
		"media failure": {func(string, string) (*upstream.EncodedJob, error) {
			return upstream.Job{ID: "aa", Status: upstream.StatusMediaFailure}.Encode(), nil
		}, time.Minute},
		"complete, with targets, since when is not known": {complete(targets), time.Second},
		"complete, to be returned":                        {complete(targets, start.Add(-35*time.Minute+2*time.Second)), time.Second},
		"complete, given up":                              {complete(targets, start.Add(-35*time.Minute)), time.Minute},
		// The time runs out while it is kept, or while its kept time is just over.
		"complete, given up meanwhile":   {complete(targets, start.Add(-35*time.Minute+time.Millisecond)), time.Second},
		"complete, given up a bit later": {complete(targets, start.Add(-35*time.Minute+time.Second)), time.Second},
		"not found":                      {fails(upstream.ItemNotFound), time.Second},
		"bad token":                      {fails(upstream.BadAPIToken), 0},
		"unavailable":                    {fails(upstream.Unavailable), 0},
	} {
		t.Run(name, func(t *testing.T) {
			store, source, now := newStore(t, c.answer)
			ask := func() {
				job, err := store.Job(t.Context(), upstream.NewRequest("aa", "bb"))
				wantJob, wantErr := c.answer("", "")
				assert.Equal(t, wantErr, err)
				assert.Equal(t, wantJob == nil, job == nil)
			}
			ask()
			if c.kept > 0 {
				now.Advance(c.kept - time.Millisecond)
				ask()
				assert.EqualValues(t, 1, source.calls.Load())
				now.Advance(2 * time.Millisecond)
			}
			ask()
			assert.EqualValues(t, 2, source.calls.Load())
		})
	}
}

func TestStore_TokensNeverMeet(t *testing.T) {
	store, source, _ := newStore(t, func(token, id string) (*upstream.EncodedJob, error) {
		return upstream.Job{ID: id, Name: &token, Status: upstream.StatusPending}.Encode(), nil
	})
	for range 2 {
		for _, pair := range [][2]string{{"aa", "bb"}, {"aab", "b"}, {"a", "abb"}, {"bb", "aa"}} {
			job, err := store.Job(t.Context(), upstream.NewRequest(pair[0], pair[1]))
			require.NoError(t, err)
			assert.Equal(t, pair[0]+pair[1], *job.Name()+job.ID())
			assert.Equal(t, pair[0], *job.Name())
		}
	}
	assert.EqualValues(t, 4, source.calls.Load())
}

func TestStore_FreshAsksAndStores(t *testing.T) {
	n := 0
	store, source, _ := newStore(t, func(string, string) (*upstream.EncodedJob, error) {
		n++
		return upstream.Job{ID: strconv.Itoa(n), Status: upstream.StatusPending}.Encode(), nil
	})
	for i, want := range []string{"1", "1", "2", "2"} {
		request := upstream.NewRequest("aa", "bb")
		request.Fresh = i == 2
		job, err := store.Job(t.Context(), request)
		require.NoError(t, err)
		assert.Equal(t, want, job.ID())
	}
	assert.EqualValues(t, 2, source.calls.Load())
}

func TestStore_RefusedTokenReadsNothingOfTheSameJob(t *testing.T) {
	var refuse bool
	store, _, _ := newStore(t, func(string, string) (*upstream.EncodedJob, error) {
		if refuse {
			return fails(upstream.BadAPIToken)("", "")
		}
		return settledJob("", "")
	})
	_, err := store.Job(t.Context(), upstream.NewRequest("aa", "bb"))
	require.NoError(t, err)
	refuse = true
	_, err = store.Job(t.Context(), fresh("aa", "bb"))
	require.Error(t, err)
	_, err = store.Job(t.Context(), upstream.NewRequest("aa", "bb"))
	assert.Error(t, err, "what was kept for the token is gone")
}

func fresh(token, id string) upstream.Request {
	r := upstream.NewRequest(token, id)
	r.Fresh = true
	return r
}

func TestStore_RefusedTokenReadsNothing(t *testing.T) {
	var refuse atomic.Bool
	hang, hangs := make(chan struct{}), make(chan struct{})
	store, source, _ := newStore(t, func(token, id string) (*upstream.EncodedJob, error) {
		if id == "cc" {
			hangs <- struct{}{}
			<-hang
		}
		if refuse.Load() && token == "aa" && id != "cc" {
			return fails(upstream.BadAPIToken)("", "")
		}
		return settledJob("", "")
	})
	for _, pair := range [][2]string{{"aa", "bb"}, {"aa", "dd"}, {"ee", "bb"}} {
		_, err := store.Job(t.Context(), upstream.NewRequest(pair[0], pair[1]))
		require.NoError(t, err)
	}
	early := make(chan error)
	go func() { _, err := store.Job(t.Context(), upstream.NewRequest("aa", "cc")); early <- err }()
	<-hangs
	refuse.Store(true)
	_, err := store.Job(t.Context(), fresh("aa", "bb"))
	require.Equal(t, upstream.BadAPIToken, upstream.TypeOf(err))
	_, err = store.Job(t.Context(), upstream.NewRequest("aa", "dd"))
	assert.Equal(t, upstream.BadAPIToken, upstream.TypeOf(err), "another job of the token was served from the cache")
	close(hang)
	require.NoError(t, <-early, "it was asked before")
	before := source.calls.Load()
	go func() { <-hangs }()
	_, err = store.Job(t.Context(), upstream.NewRequest("aa", "cc"))
	require.NoError(t, err)
	assert.EqualValues(t, 1, source.calls.Load()-before, "a call that began before the refusal filled the cache")
	_, err = store.Job(t.Context(), upstream.NewRequest("ee", "bb"))
	require.NoError(t, err)
	assert.EqualValues(t, 1, source.calls.Load()-before, "another token lost its cache")
}

// What refuses the token takes all of its jobs out of the store; what is fetched once it is
// accepted again is cached.
func TestStore_WhatRefusesAToken(t *testing.T) {
	for name, test := range map[string]struct {
		refusal *upstream.Error
		ofToken bool
	}{
		"BAD_API_TOKEN":     {&upstream.Error{Type: upstream.BadAPIToken, Status: 400}, true},
		"401":               {&upstream.Error{Type: upstream.BadAPIToken, Status: 401}, true},
		"401 with a reason": {&upstream.Error{Type: upstream.LoginInvalid, Status: 401}, true},
		"no such job":       {&upstream.Error{Type: upstream.ItemNotFound, Status: 400}, false},
		"another privilege": {&upstream.Error{Type: upstream.AccountUnprivileged, Status: 403}, false},
		"a passing failure": {&upstream.Error{Type: upstream.Unavailable, Status: 503}, false},
		"a 429":             {&upstream.Error{Type: upstream.RateLimited, Status: 429}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var refuse bool
			store, source, _ := newStore(t, func(string, string) (*upstream.EncodedJob, error) {
				if refuse {
					return nil, test.refusal
				}
				return settledJob("", "")
			})
			ask := func(id string) error {
				_, err := store.Job(t.Context(), upstream.NewRequest("aa", id))
				return err
			}
			require.NoError(t, ask("11"))
			refuse = true
			require.ErrorIs(t, ask("22"), test.refusal)
			if !test.ofToken {
				assert.NoError(t, ask("11"))
				return
			}
			assert.ErrorIs(t, ask("11"), test.refusal)
			refuse = false
			require.NoError(t, ask("11"))
			calls := source.calls.Load()
			require.NoError(t, ask("11"))
			assert.Equal(t, calls, source.calls.Load())
		})
	}
}

func TestStore_IsBounded(t *testing.T) {
	job := upstream.Job{ID: "aa", Name: new(strings.Repeat("a", 659)), Status: upstream.StatusMediaFailure}.Encode()
	require.Equal(t, 1024, weigh(answer{job: job}))
	source := &source{answer: func(string, string) (*upstream.EncodedJob, error) { return job, nil }}
	s := New(source, Options{SettledTTL: time.Minute, ActiveTTL: time.Second, MaxBytes: 100 << 10})
	defer s.Close()
	for i := range 1000 {
		_, err := s.Job(t.Context(), upstream.NewRequest("aa", strconv.Itoa(i)))
		require.NoError(t, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	assert.LessOrEqual(t, s.bytes, 100<<10)
	assert.Len(t, s.slots, 100, "each weighs 1 KiB")
}

func TestStore_WithoutTTLServesNothingTwice(t *testing.T) {
	source := &source{answer: settledJob}
	s := New(source, Options{})
	defer s.Close()
	for n := range int64(3) {
		reads := new(ReadSet)
		job, err := s.Job(WithReadSet(t.Context(), reads), upstream.NewRequest("aa", "bb"))
		require.NoError(t, err)
		assert.NotNil(t, job)
		assert.Equal(t, n+1, source.calls.Load())
		assert.False(t, reads.Valid())
		assert.True(t, reads.Joinable())
	}
}
