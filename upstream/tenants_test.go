package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream/http1"
	"jobgraph/upstream/replay"
)

// endpoint plays the job API without a network, so that time is the test's own.
type endpoint func(ctx context.Context, deadline time.Time, query string) (http1.Response, error)

func (e endpoint) Get(ctx context.Context, deadline time.Time, query string, _ func(context.Context) error) (http1.Response, error) {
	return e(ctx, deadline, query)
}
func (e endpoint) Close() {}

var aJob = http1.Response{Status: 200, Body: []byte(`{"JobId": "aa", "JobStatus": "Pending"}`)}

// takes answers after a while, if there is as much time.
func takes(d time.Duration, answer http1.Response, err error) endpoint {
	return func(ctx context.Context, deadline time.Time, _ string) (http1.Response, error) {
		select {
		case <-time.After(d):
			return answer, err
		case <-time.After(time.Until(deadline)):
			return http1.Response{}, context.DeadlineExceeded
		case <-ctx.Done():
			return http1.Response{}, ctx.Err()
		}
	}
}

func played(t *testing.T, e endpoint, opts Options) *Client {
	c, err := New("http://upstream.example", opts)
	require.NoError(t, err)
	c.info = e
	return c
}

// TestTenants_TheWholeTimeoutIsForTheAnswer has an answer come just in time, and just too late.
func TestTenants_TheWholeTimeoutIsForTheAnswer(t *testing.T) {
	for _, test := range []struct {
		attempt, takes time.Duration
		served         bool
	}{{0, 9900 * time.Millisecond, true}, {0, 10100 * time.Millisecond, false},
		{2 * time.Second, 1900 * time.Millisecond, true}, {2 * time.Second, 2100 * time.Millisecond, false}} {
		synctest.Test(t, func(t *testing.T) {
			c := played(t, takes(test.takes, aJob, nil), Options{AttemptTimeout: test.attempt})
			defer c.Close()
			_, err := c.Job(t.Context(), NewRequest(canary, anID))
			if test.served {
				assert.NoError(t, err, "%v of %v", test.takes, test.attempt)
			} else {
				assert.ErrorIs(t, err, &Error{Type: Timeout}, "%v of %v", test.takes, test.attempt)
			}
		})
	}
}

func TestTenants_ARetryIsForWhatFailedFast(t *testing.T) {
	for took, attempts := range map[time.Duration]int32{10 * time.Millisecond: 2, 4 * time.Second: 2, 6 * time.Second: 1} {
		synctest.Test(t, func(t *testing.T) {
			var asked atomic.Int32
			fails := takes(took, http1.Response{Status: http.StatusBadGateway}, nil)
			c := played(t, func(ctx context.Context, deadline time.Time, query string) (http1.Response, error) {
				asked.Add(1)
				return fails(ctx, deadline, query)
			}, Options{})
			defer c.Close()
			_, err := c.Job(t.Context(), NewRequest(canary, anID))
			assert.ErrorIs(t, err, &Error{Type: Unavailable})
			assert.Equal(t, attempts, asked.Load(), "failed after %v", took)
		})
	}
}

func TestTenants_BusyComesWhileThereIsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := played(t, takes(time.Hour, aJob, nil), Options{Concurrency: 1})
		defer c.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _, _ = c.Job(ctx, NewRequest(canary, "aa")) }()
		synctest.Wait()
		began := time.Now()
		_, err := c.Job(t.Context(), NewRequest(canary, "bb"))
		var failed *Error
		require.ErrorAs(t, err, &failed)
		assert.Contains(t, failed.Comment, "busy")
		assert.Equal(t, 5*time.Second, time.Since(began))
	})
}

// TestTenants_HangingCallsOfOneTokenHoldUpNobodyElse has a token ask for more than there are slots
// and places to wait.
func TestTenants_HangingCallsOfOneTokenHoldUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang, answer := takes(time.Hour, aJob, nil), takes(time.Millisecond, aJob, nil)
		c := played(t, func(ctx context.Context, deadline time.Time, query string) (http1.Response, error) {
			if strings.Contains(query, canary) {
				return hang(ctx, deadline, query)
			}
			return answer(ctx, deadline, query)
		}, Options{Timeout: time.Minute})
		defer c.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for i := range 2000 {
			go func() { _, _ = c.Job(ctx, NewRequest(canary, fmt.Sprintf("a%x", i))) }()
		}
		synctest.Wait()
		require.Equal(t, 1024, c.Queued())
		began := time.Now()
		var others sync.WaitGroup
		for i := range 100 {
			others.Go(func() {
				_, err := c.Job(t.Context(), NewRequest("beef", fmt.Sprintf("b%x", i)))
				assert.NoError(t, err)
			})
		}
		others.Wait()
		assert.Less(t, time.Since(began), 100*time.Millisecond)
	})
}

// TestTenants_OneTokensFailuresShutNobodyElse has one token's calls all fail.
func TestTenants_OneTokensFailuresShutNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail, answer := takes(0, http1.Response{Status: 500}, nil), takes(time.Millisecond, aJob, nil)
		c := played(t, func(ctx context.Context, deadline time.Time, query string) (http1.Response, error) {
			if strings.Contains(query, canary) {
				return fail(ctx, deadline, query)
			}
			return answer(ctx, deadline, query)
		}, Options{})
		defer c.Close()
		refused := 0
		for range 100 {
			_, err := c.Job(t.Context(), NewRequest(canary, anID))
			var failed *Error
			require.ErrorAs(t, err, &failed)
			if failed.Status == 0 {
				refused++
			}
			_, err = c.Job(t.Context(), NewRequest("beef", anID))
			require.NoError(t, err)
			time.Sleep(100 * time.Millisecond)
		}
		assert.Greater(t, refused, 70, "the failing token's own circuit")
	})
}

// TestTenants_ACancelledCallIsNoFailure ends calls at any moment: that is neither told as a
// failure of upstream nor logged as one, and costs no retry that another call may need.
func TestTenants_ACancelledCallIsNoFailure(t *testing.T) {
	random := replay.Rand(t)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		seen := &outcomes{n: map[string]int{}}
		c := played(t, func(ctx context.Context, _ time.Time, _ string) (http1.Response, error) {
			<-ctx.Done()
			return http1.Response{}, ctx.Err()
		}, Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), Observer: seen, Concurrency: 8})
		defer c.Close()
		for range 1000 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(int(time.Millisecond))))
			_, err := c.Job(ctx, NewRequest(canary, fmt.Sprintf("%x", random.IntN(20))))
			var failed *Error
			assert.False(t, errors.As(err, &failed), "%v: %v", err, errors.Unwrap(err))
			cancel()
		}
		synctest.Wait()
		assert.Equal(t, map[string]int{"CANCELLED": 1000}, seen.n)
		assert.Empty(t, log.String())
		c.info = takes(0, http1.Response{Status: 503}, nil)
		_, err := c.Job(t.Context(), NewRequest(canary, anID))
		assert.ErrorIs(t, err, &Error{Type: Unavailable})
		assert.Equal(t, 1, seen.retried)
	})
}

// TestTenants_APanicGivesAllBack leaves no slot and no permit behind.
func TestTenants_APanicGivesAllBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := played(t, func(context.Context, time.Time, string) (http1.Response, error) { panic("at random") }, Options{})
		defer c.Close()
		_, err := c.Job(t.Context(), NewRequest(canary, anID))
		assert.ErrorContains(t, err, "panic")
		assert.Zero(t, c.breaker.Permits())
		assert.Equal(t, 256, c.slots.Free())
	})
}

// outcomes is an Observer that counts; its test looks when all is quiet.
type outcomes struct {
	nobody
	mu      sync.Mutex
	n       map[string]int
	retried int
}

func (o *outcomes) CallDone(outcome string, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n[outcome]++
}

func (o *outcomes) Retried() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.retried++
}

// TestTenants_FailuresAreLogged has upstream fail for a while, in two ways.
func TestTenants_FailuresAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		answers := map[string]endpoint{
			"aa": takes(0, http1.Response{Status: 500}, nil),
			"bb": takes(0, http1.Response{Status: 200, Body: []byte("<html>")}, nil),
			"cc": takes(0, http1.Response{}, errors.New("read: "+canary)),
			"dd": takes(0, http1.Response{Status: 404, Body: []byte(`{"ErrorType": "ITEM_NOT_FOUND"}`)}, nil),
			"ee": takes(0, aJob, nil),
		}
		c := played(t, func(ctx context.Context, deadline time.Time, query string) (http1.Response, error) {
			return answers[query[len(query)-2:]](ctx, deadline, query)
		}, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		defer c.Close()
		lines := func() []string {
			synctest.Wait()
			defer log.Reset()
			return strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
		}
		for range 4 {
			_, _ = c.Job(t.Context(), NewRequest(canary, "aa"))
			_, _ = c.Job(t.Context(), NewRequest(canary, "bb"))
			_, _ = c.Job(t.Context(), NewRequest(canary, "dd"))
			_, _ = c.Job(t.Context(), NewRequest(canary, "ee"))
		}
		first := lines()
		require.Len(t, first, 2, first)
		assert.Contains(t, first[0], `level=WARN msg="a call of the job API failed" type=UPSTREAM_UNAVAILABLE status=500 left_out=0`)
		assert.Contains(t, first[1], "type=UPSTREAM_MALFORMED status=200 left_out=0 cause=")
		time.Sleep(time.Second)
		_, _ = c.Job(t.Context(), NewRequest(canary, "cc")) // which is tried twice
		second := lines()
		require.Len(t, second, 1, second)
		assert.Contains(t, second[0], "type=UPSTREAM_UNAVAILABLE status=0 left_out=3")
		assert.Contains(t, second[0], "[redacted]")
		assert.NotContains(t, second[0], canary[:8])
	})
}

// TestTenants_ATokensBreakerThatStaysOpenIsLogged has one token open the breaker for all, and
// another one close it: the first is still left alone.
func TestTenants_ATokensBreakerThatStaysOpenIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := played(t, takes(0, http1.Response{Status: 500}, nil), Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		defer c.Close()
		for range 20 {
			_, _ = c.Job(t.Context(), NewRequest(canary, anID))
		}
		c.info = takes(0, aJob, nil)
		_, err := c.Job(t.Context(), NewRequest("beef", anID))
		require.NoError(t, err)
		_, err = c.Job(t.Context(), NewRequest(canary, anID))
		require.ErrorContains(t, err, "not asked")
		assert.Equal(t, 1, strings.Count(log.String(), "the token's circuit breaker is open"), log.String())
		time.Sleep(4 * time.Second)
		_, err = c.Job(t.Context(), NewRequest(canary, anID))
		require.NoError(t, err)
		assert.Equal(t, 1, strings.Count(log.String(), "the token's circuit breaker is closed"), log.String())
	})
}

// TestTenants_TheBreakerIsLogged opens and closes it, for all and for a token.
func TestTenants_TheBreakerIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := played(t, takes(0, http1.Response{Status: 500}, nil), Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		defer c.Close()
		said := func(words string, n int) {
			t.Helper()
			assert.Equal(t, n, strings.Count(log.String(), words), log.String())
		}
		for range 20 {
			_, _ = c.Job(t.Context(), NewRequest(canary, anID))
		}
		said("the circuit breaker is open", 1)
		said("calls=5 in_a_row=5 failures.UPSTREAM_UNAVAILABLE=5", 1)
		c.info = takes(0, aJob, nil)
		time.Sleep(4 * time.Second)
		_, err := c.Job(t.Context(), NewRequest(canary, anID))
		require.NoError(t, err)
		said("level=INFO msg=\"the job API answers again: the circuit breaker is closed\" open_for=4s", 1)
		said("token", 0)

		_, err = c.Job(t.Context(), NewRequest("beef", anID))
		require.NoError(t, err)
		c.info = takes(0, http1.Response{}, context.DeadlineExceeded)
		time.Sleep(time.Second)
		for range 20 {
			_, _ = c.Job(t.Context(), NewRequest(canary, anID))
		}
		said("the token's circuit breaker is open", 1)
		said("failures.UPSTREAM_TIMEOUT=5 tokens_open=1 left_out=0", 1)
		c.info = takes(0, aJob, nil)
		time.Sleep(4 * time.Second)
		_, err = c.Job(t.Context(), NewRequest(canary, anID))
		require.NoError(t, err)
		said("the token's circuit breaker is closed", 1)
		said("circuit breaker is open", 2)
		assert.NotContains(t, log.String(), canary[:8])
	})
}
