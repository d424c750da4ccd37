package cache

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
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

func (s *source) Job(_ context.Context, token, id string) (*upstream.Job, error) {
	s.calls.Add(1)
	return s.answer(token, id)
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

func fails(errorType upstream.ErrorType) func(string, string) (*upstream.Job, error) {
	return func(string, string) (*upstream.Job, error) { return nil, &upstream.Error{Type: errorType} }
}

func TestHowLongAnAnswerIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(string, string) (*upstream.Job, error)
		kept   time.Duration
	}{
		"active":  {active, time.Second},
		"settled": {settled, time.Minute},
		"complete, not returned": {func(string, string) (*upstream.Job, error) {
			return &upstream.Job{ID: "aa", Status: upstream.StatusComplete}, nil
		}, time.Second},
		"not found":   {fails(upstream.ItemNotFound), time.Second},
		"bad token":   {fails(upstream.BadAPIToken), 0},
		"unavailable": {fails(upstream.Unavailable), 0},
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

func TestALateAnswerDoesNotHideAChangeThatWasSeen(t *testing.T) {
	release, asked := make(chan struct{}), make(chan struct{})
	first := true
	cache, _, now := newCache(t, func(string, string) (*upstream.Job, error) {
		if first {
			first = false
			close(asked)
			<-release
			return &upstream.Job{ID: "old", Status: upstream.StatusPending}, nil
		}
		return &upstream.Job{ID: "new", Status: upstream.StatusReviewing}, nil
	})
	late := make(chan struct{})
	go func() {
		defer close(late)
		_, _ = cache.Job(context.Background(), "aa", "bb")
	}()
	<-asked
	now.advance(time.Millisecond)
	_, err := cache.Job(upstream.Fresh(t.Context()), "aa", "bb")
	require.NoError(t, err)
	close(release)
	<-late
	job, err := cache.Job(t.Context(), "aa", "bb")
	require.NoError(t, err)
	assert.Equal(t, "new", job.ID)
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

// Random callers of random jobs with random tokens, cancellations and time: what
// anybody gets belongs to its token, and is never older than is allowed.
func TestProperties(t *testing.T) {
	now := &clock{}
	s := &source{answer: func(token, id string) (*upstream.Job, error) {
		switch born := now.NowNano(); {
		case strings.HasSuffix(id, "0"):
			return nil, &upstream.Error{Type: upstream.ItemNotFound, Comment: fmt.Sprint(token, " ", born)}
		case strings.HasSuffix(id, "1"):
			name := fmt.Sprint(token, " ", born)
			return &upstream.Job{ID: id, Name: &name, Status: upstream.StatusComplete, ReturnDate: new(time.Now())}, nil
		case strings.HasSuffix(id, "2"):
			return nil, &upstream.Error{Type: upstream.Unavailable}
		default:
			name := fmt.Sprint(token, " ", born)
			return &upstream.Job{ID: id, Name: &name, Status: upstream.StatusPending}, nil
		}
	}}
	c := New(s, Options{Clock: now})
	defer c.Close()
	var wait sync.WaitGroup
	for seed := range uint64(8) {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(seed, 0))
			for range 5000 {
				token, id := strconv.Itoa(random.IntN(3)), strconv.Itoa(random.IntN(8))
				ctx := context.Background()
				if random.IntN(10) == 0 {
					ctx = upstream.Fresh(ctx)
				}
				before := now.NowNano()
				job, err := c.Job(ctx, token, id)
				checkAnswer(t, before, token, id, job, err)
				if random.IntN(20) == 0 {
					now.advance(time.Duration(random.IntN(700)) * time.Millisecond)
				}
			}
		})
	}
	wait.Wait()
}

func checkAnswer(t *testing.T, asked int64, token, id string, job *upstream.Job, err error) {
	var text string
	allowed := time.Second
	if failed, ok := err.(*upstream.Error); ok {
		if failed.Type == upstream.Unavailable {
			return
		}
		text = failed.Comment
	} else {
		assert.Equal(t, id, job.ID)
		text = *job.Name
		if job.Settled() {
			allowed = time.Minute
		}
	}
	owner, bornText, _ := strings.Cut(text, " ")
	born, parseErr := strconv.ParseInt(bornText, 10, 64)
	assert.NoError(t, parseErr)
	assert.Equal(t, token, owner)
	assert.LessOrEqual(t, time.Duration(asked-born), allowed)
}
