package cache

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"jobgraph/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that the test moves.
type clock struct{ nanos atomic.Int64 }

func (c *clock) NowNano() int64                      { return c.nanos.Load() }
func (c *clock) Tick(time.Duration) <-chan time.Time { return nil }
func (c *clock) advance(d time.Duration)             { c.nanos.Add(int64(d)) }

// source answers with what the test says, and counts.
type source struct {
	calls  atomic.Int64
	answer func(token, id string) (*upstream.Job, error)
}

func (s *source) Job(ctx context.Context, token, id string) (*upstream.Job, error) {
	s.calls.Add(1)
	keeper := upstream.KeeperFrom(ctx)
	keeper.CallBegun()
	job, err := s.answer(token, id)
	if failed, ok := err.(*upstream.Error); !ok || !failed.Retryable() {
		keeper.CallEnded(job, err)
	}
	return job, err
}

func newCache(t *testing.T, answer func(token, id string) (*upstream.Job, error)) (*Cache, *source, *clock) {
	s, now := &source{answer: answer}, &clock{}
	c := New(s, Options{Clock: now})
	t.Cleanup(c.Close)
	return c, s, now
}

func active(string, string) (*upstream.Job, error) {
	return &upstream.Job{ID: "aa", Status: upstream.StatusPending}, nil
}

func settled(string, string) (*upstream.Job, error) {
	return &upstream.Job{ID: "aa", Status: upstream.StatusComplete, ReturnDate: new(time.Now())}, nil
}

var (
	// start is where the test's clock begins.
	start   = time.Unix(0, 0)
	targets = []upstream.ReturnTarget{{Kind: "url"}}
)

func complete(targets []upstream.ReturnTarget, since ...time.Time) func(string, string) (*upstream.Job, error) {
	job := &upstream.Job{ID: "aa", Status: upstream.StatusComplete, ReturnTargets: targets}
	if len(since) > 0 {
		job.CompletedDate = &since[0]
	}
	return func(string, string) (*upstream.Job, error) { return job, nil }
}

func fails(errorType upstream.ErrorType) func(string, string) (*upstream.Job, error) {
	return func(string, string) (*upstream.Job, error) { return nil, &upstream.Error{Type: errorType} }
}

func TestHowLongAnAnswerIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(string, string) (*upstream.Job, error)
		kept   time.Duration
	}{
		"active":               {active, time.Second},
		"settled":              {settled, time.Minute},
		"complete, no targets": {complete(nil), time.Minute},
		"media failure": {func(string, string) (*upstream.Job, error) {
			return &upstream.Job{ID: "aa", Status: upstream.StatusMediaFailure}, nil
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
			cache, source, now := newCache(t, c.answer)
			ask := func() {
				job, err := cache.Job(t.Context(), "aa", "bb")
				wantJob, wantErr := c.answer("", "")
				assert.Equal(t, wantErr, err)
				assert.Equal(t, wantJob == nil, job == nil)
			}
			ask()
			if c.kept > 0 {
				now.advance(c.kept - time.Millisecond)
				ask()
				assert.EqualValues(t, 1, source.calls.Load())
				now.advance(2 * time.Millisecond)
			}
			ask()
			assert.EqualValues(t, 2, source.calls.Load())
		})
	}
}

func TestTokensNeverMeet(t *testing.T) {
	cache, source, _ := newCache(t, func(token, id string) (*upstream.Job, error) {
		return &upstream.Job{ID: id, Name: &token, Status: upstream.StatusPending}, nil
	})
	for range 2 {
		for _, pair := range [][2]string{{"aa", "bb"}, {"aab", "b"}, {"a", "abb"}, {"bb", "aa"}} {
			job, err := cache.Job(t.Context(), pair[0], pair[1])
			require.NoError(t, err)
			assert.Equal(t, pair[0]+pair[1], *job.Name+job.ID)
			assert.Equal(t, pair[0], *job.Name)
		}
	}
	assert.EqualValues(t, 4, source.calls.Load())
}

func TestFreshAsksAndKeeps(t *testing.T) {
	n := 0
	cache, source, _ := newCache(t, func(string, string) (*upstream.Job, error) {
		n++
		return &upstream.Job{ID: strconv.Itoa(n), Status: upstream.StatusPending}, nil
	})
	for i, want := range []string{"1", "1", "2", "2"} {
		ctx := t.Context()
		if i == 2 {
			ctx = upstream.Fresh(ctx)
		}
		job, err := cache.Job(ctx, "aa", "bb")
		require.NoError(t, err)
		assert.Equal(t, want, job.ID)
	}
	assert.EqualValues(t, 2, source.calls.Load())
}

func TestAnExpiredTokenSeesNothingMore(t *testing.T) {
	var refuse bool
	cache, _, _ := newCache(t, func(string, string) (*upstream.Job, error) {
		if refuse {
			return fails(upstream.BadAPIToken)("", "")
		}
		return settled("", "")
	})
	_, err := cache.Job(t.Context(), "aa", "bb")
	require.NoError(t, err)
	refuse = true
	_, err = cache.Job(upstream.Fresh(t.Context()), "aa", "bb")
	require.Error(t, err)
	_, err = cache.Job(t.Context(), "aa", "bb")
	assert.Error(t, err, "what was kept for the token is gone")
}

func TestTheCacheIsBounded(t *testing.T) {
	source := &source{answer: settled}
	c := New(source, Options{Bytes: 100 << 10})
	defer c.Close()
	for i := range 1000 {
		_, err := c.Job(t.Context(), "aa", strconv.Itoa(i))
		require.NoError(t, err)
	}
	c.entries.CleanUp()
	assert.LessOrEqual(t, c.entries.WeightedSize(), uint64(100<<10))
	assert.NotZero(t, c.entries.EstimatedSize())
}
