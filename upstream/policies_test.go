package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/faults"
)

const token = "c0ffee11c0ffee22c0ffee33c0ffee44"

// counts is an Observer that remembers.
type counts struct {
	started, retried, opened atomic.Int32
	mu                       sync.Mutex
	outcomes, refused        map[string]int
}

func newCounts() *counts { return &counts{outcomes: map[string]int{}, refused: map[string]int{}} }

func (c *counts) CallStarted()             { c.started.Add(1) }
func (c *counts) Retried()                 { c.retried.Add(1) }
func (c *counts) UnrecognizedValue(string) {}
func (c *counts) MalformedJobs(int)        {}
func (c *counts) TokenBreakersOpen(int)    {}
func (c *counts) CallDone(outcome string, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcomes[outcome]++
}
func (c *counts) Refused(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused[reason]++
}
func (c *counts) BreakerChanged(open bool) {
	if open {
		c.opened.Add(1)
	}
}
func (c *counts) outcome(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outcomes[name]
}

// client is one of a server where everything fails as given; nil is nothing.
func client(t *testing.T, fault *faults.Fault, opts upstream.Options) (*upstream.Client, *faults.Server) {
	t.Helper()
	server, err := faults.NewServer(func(string) *faults.Fault { return fault })
	require.NoError(t, err)
	t.Cleanup(server.Close)
	c, err := upstream.New(server.URL(), opts)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, server
}

func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, 10*time.Second, time.Millisecond, what)
}

func TestPolicies_TokensShareNothing(t *testing.T) {
	gate := faults.NewGate()
	c, server := client(t, gate.Fault(), upstream.Options{})
	var callers sync.WaitGroup
	for _, own := range []string{token, "beef"} {
		callers.Go(func() {
			_, err := c.Job(t.Context(), upstream.NewRequest(own, "a"))
			assert.NoError(t, err)
		})
	}
	eventually(t, func() bool { return server.Requests() == 2 }, "a request for each token")
	gate.Open()
	callers.Wait()
}

func TestPolicies_PanicIsAnErrorForAll(t *testing.T) {
	seen := newCounts()
	c, _ := client(t, nil, upstream.Options{Observer: seen})
	c.Break("the token " + token)
	_, err := c.Job(t.Context(), upstream.NewRequest(token, "a"))
	require.Error(t, err)
	assert.Contains(t, err.Error(), "panic")
	assert.NotContains(t, err.Error(), token)
}

func TestPolicies_RetryAfterIsHonoured(t *testing.T) {
	for header, want := range map[string]int{"30": 30, "0": 1, "86400": 300, "Mon, 02 Jan 2040 15:04:05 GMT": 300} {
		t.Run(header, func(t *testing.T) {
			c, server := client(t, faults.RateLimit(header), upstream.Options{})
			_, err := c.Job(t.Context(), upstream.NewRequest(token, "a"))
			assert.Equal(t, want, *typed(t, err, upstream.RateLimited).RetryAfterSeconds())
			_, err = c.Job(t.Context(), upstream.NewRequest(token, "b"))
			assert.LessOrEqual(t, *typed(t, err, upstream.RateLimited).RetryAfterSeconds(), want)
			assert.Equal(t, 1, server.Requests(), "the token was told to wait")
			_, err = c.Job(t.Context(), upstream.NewRequest("beef", "a"))
			typed(t, err, upstream.RateLimited)
			assert.Equal(t, 2, server.Requests(), "another token was not")
		})
	}
}

func TestPolicies_RetryAfterThatCannotBeRead(t *testing.T) {
	c, server := client(t, faults.RateLimit("soon"), upstream.Options{})
	for range 2 {
		_, err := c.Job(t.Context(), upstream.NewRequest(token, "a"))
		assert.Nil(t, typed(t, err, upstream.RateLimited).RetryAfterSeconds())
	}
	assert.Equal(t, 2, server.Requests())
}

// TestPolicies_WhatIsTriedAgain counts the attempts of one call.
func TestPolicies_WhatIsTriedAgain(t *testing.T) {
	for status, attempts := range map[int]int{400: 1, 401: 1, 404: 1, 408: 1, 429: 1, 500: 1, 502: 2, 503: 2, 504: 2} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			c, server := client(t, faults.Status(status), upstream.Options{})
			_, err := c.Job(t.Context(), upstream.NewRequest(token, "a"))
			assert.Error(t, err)
			assert.Equal(t, attempts, server.Requests())
		})
	}
}

func TestPolicies_RetriesHaveABudget(t *testing.T) {
	// One job in four fails: too few for the circuit breaker.
	fault := faults.Status(503)
	server, err := faults.NewServer(func(id string) *faults.Fault {
		if id[0] == 'b' {
			return fault
		}
		return nil
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	seen := newCounts()
	c, err := upstream.New(server.URL(), upstream.Options{Observer: seen})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	const calls = 100
	for i := range calls {
		_, _ = c.Job(t.Context(), upstream.NewRequest(token, fmt.Sprintf("%c%x", "abcd"[i%4], i)))
	}
	assert.LessOrEqual(t, int(seen.retried.Load()), 10+calls/5)
	assert.GreaterOrEqual(t, int(seen.retried.Load()), calls/5-1)
}

func TestPolicies_RefusalsNeverOpenTheBreaker(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 429} {
		seen := newCounts()
		c, server := client(t, faults.Status(status), upstream.Options{Observer: seen})
		for i := range 30 {
			_, err := c.Job(t.Context(), upstream.NewRequest(token, fmt.Sprintf("%x", i)))
			assert.Error(t, err)
		}
		assert.Equal(t, 30, server.Requests(), status)
		assert.Zero(t, seen.opened.Load(), status)
	}
}

func TestPolicies_CancellationNeverOpensTheBreaker(t *testing.T) {
	seen := newCounts()
	c, server := client(t, faults.Hang(), upstream.Options{Timeout: time.Hour, Observer: seen})
	for i := range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error)
		go func() { _, err := c.Job(ctx, upstream.NewRequest(token, "a")); left <- err }()
		eventually(t, func() bool { return server.Requests() == i+1 }, "the request")
		cancel()
		assert.ErrorIs(t, <-left, context.Canceled)
	}
	eventually(t, func() bool { return seen.outcome("CANCELLED") == 10 }, "the calls' outcomes")
	assert.Zero(t, seen.opened.Load())
}

func TestPolicies_FiveFailuresOpenTheBreaker(t *testing.T) {
	seen := newCounts()
	c, server := client(t, faults.Status(500), upstream.Options{Observer: seen})
	for range 5 {
		_, err := c.Job(t.Context(), upstream.NewRequest(token, "a"))
		assert.Equal(t, 500, typed(t, err, upstream.Unavailable).Status)
	}
	_, err := c.Job(t.Context(), upstream.NewRequest(token, "a"))
	failed := typed(t, err, upstream.Unavailable)
	assert.Positive(t, *failed.RetryAfterSeconds())
	assert.Equal(t, 5, server.Requests(), "requests")
	server.Heal()
	eventually(t, func() bool { _, err := c.Job(t.Context(), upstream.NewRequest(token, "a")); return err == nil }, "service is not back")
}

// of is a request of the operation.
func of(operation *upstream.Operation, id string) upstream.Request {
	r := upstream.NewRequest(token, id)
	r.Operation = operation
	return r
}

// TestPolicies_Turns has one caller's 100 ids wait while another asks for one.
func TestPolicies_Turns(t *testing.T) {
	gate := faults.NewGate()
	c, server := client(t, gate.Fault(), upstream.Options{Concurrency: 1})
	var greedy sync.WaitGroup
	many := new(upstream.Operation)
	for i := range 100 {
		greedy.Go(func() { _, _ = c.Job(t.Context(), of(many, fmt.Sprintf("a%02x", i))) })
	}
	eventually(t, func() bool { return c.Queued() == 99 }, "the greedy caller's wait")
	done := make(chan int)
	go func() {
		_, err := c.Job(t.Context(), of(new(upstream.Operation), "b"))
		assert.NoError(t, err)
		done <- server.Requests()
	}()
	eventually(t, func() bool { return c.Queued() == 100 }, "the modest caller's wait")
	gate.Open()
	assert.Less(t, <-done, 20, "requests before the modest caller's")
	greedy.Wait()
}

// TestPolicies_Shedding fills the line with one caller's calls: what is too many is refused
// at once, and a caller with less takes the place of one with more.
func TestPolicies_Shedding(t *testing.T) {
	gate := faults.NewGate()
	seen := newCounts()
	c, _ := client(t, gate.Fault(), upstream.Options{Concurrency: 1, Timeout: time.Hour, Observer: seen})
	many := new(upstream.Operation)
	var busy atomic.Int32
	var greedy sync.WaitGroup
	for i := range 1011 {
		greedy.Go(func() {
			if _, err := c.Job(t.Context(), of(many, fmt.Sprintf("a%04x", i))); err != nil {
				failed := typed(t, err, upstream.Unavailable)
				assert.Contains(t, failed.Comment, "server is busy")
				assert.True(t, failed.Retryable())
				assert.Positive(t, *failed.RetryAfterSeconds())
				busy.Add(1)
			}
		})
	}
	eventually(t, func() bool { return busy.Load() == 10 }, "the refusals")
	modest := make(chan error)
	go func() { _, err := c.Job(t.Context(), of(new(upstream.Operation), "b")); modest <- err }()
	eventually(t, func() bool { return busy.Load() == 11 }, "the place that was given up")
	gate.Open()
	assert.NoError(t, <-modest)
	greedy.Wait()
	assert.EqualValues(t, 11, busy.Load())
}

func typed(t *testing.T, err error, want upstream.ErrorType) *upstream.Error {
	t.Helper()
	var failed *upstream.Error
	if !errors.As(err, &failed) {
		t.Fatalf("%v is no upstream.Error", err)
	}
	assert.Equal(t, want, failed.Type, failed.Comment)
	return failed
}
