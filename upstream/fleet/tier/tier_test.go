package tier_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/fleet"
	"jobgraph/upstream/fleet/redistest"
	"jobgraph/upstream/fleet/tier"
)

const (
	eventually = 20 * time.Second
	token      = "7ca5dc5c7cce449fb0fff719307e8f5f"
)

// api is a job API that says how often it was asked.
type api struct {
	mu      sync.Mutex
	calls   int
	settled bool
	name    string
	err     error
}

func (a *api) job(id string) *upstream.EncodedJob {
	name := fmt.Sprintf("%s %d", a.name, a.calls)
	job := upstream.Job{ID: id, Status: upstream.StatusPending, Name: &name, CreationDate: new(time.Unix(1, 0))}
	if a.settled {
		job.Status, job.ReturnDate = upstream.StatusComplete, new(time.Unix(2, 0))
	}
	return job.Encode()
}

func (a *api) Job(_ context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	if a.err != nil {
		return nil, a.err
	}
	return a.job(r.Key.ID), nil
}

func (a *api) List(_ context.Context, r upstream.ListRequest) (*upstream.List, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	if a.err != nil {
		return nil, a.err
	}
	job := a.job("aa")
	return &upstream.List{Cut: true, Ordered: true, Bytes: 7, Read: 9, Jobs: []upstream.ListedJob{
		{EncodedJob: job, Username: "somebody", At: upstream.PositionOf(job)}}}, nil
}

// instance is a tier of an instance whose clock is off.
type instance struct {
	*tier.Tier
	t        testing.TB
	redis    *redistest.Server
	mu       sync.Mutex
	outcomes []string
}

func join(t testing.TB, redis *redistest.Server, source *api, off time.Duration) *instance {
	t.Helper()
	f, err := fleet.New(fleet.Options{URL: redis.URL, Secret: []byte(strings.Repeat("s", 32)), MaxWait: eventually})
	require.NoError(t, err)
	t.Cleanup(f.Close)
	require.Eventually(t, f.Available, eventually, time.Millisecond)
	i := &instance{t: t, redis: redis}
	i.Tier = tier.New(source, f, tier.Options{SettledTTL: time.Minute, ActiveTTL: 10 * time.Second,
		Now: func() time.Time { return time.Now().Add(off) },
		ObserveLookup: func(outcome string) {
			i.mu.Lock()
			defer i.mu.Unlock()
			i.outcomes = append(i.outcomes, outcome)
		}})
	return i
}

// ask asks; began is when what it got was fetched, 0 where it was not found in Redis.
func (i *instance) ask(id string, fresh bool) (name string, began int64, err error) {
	r := upstream.NewRequest(token, id)
	r.Fresh, r.Began = fresh, &began
	job, err := i.Job(i.t.Context(), r)
	if err != nil {
		return "", began, err
	}
	return *job.Name(), began, nil
}

// outcome is what the last lookup came to.
func (i *instance) outcome() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.outcomes) == 0 {
		return ""
	}
	return i.outcomes[len(i.outcomes)-1]
}

// keys waits until Redis has so many: nobody waits for writes.
func (i *instance) keys(many int) {
	i.t.Helper()
	require.Eventually(i.t, func() bool { return len(i.redis.Keys()) == many }, eventually, time.Millisecond)
}

func TestTier_WhatOneFetchedIsAHitForAll(t *testing.T) {
	redis, source := redistest.Start(t), &api{name: "job"}
	one, other := join(t, redis, source, 0), join(t, redis, source, 0)
	before := time.Now().UnixNano()
	name, began, err := one.ask("aa", false)
	require.NoError(t, err)
	assert.Zero(t, began, "it was asked of the job API")
	one.keys(1)
	again, began, err := other.ask("aa", false)
	require.NoError(t, err)
	assert.Equal(t, name, again)
	assert.Equal(t, 1, source.calls)
	assert.Equal(t, "HIT", other.outcome())
	assert.Greater(t, began, before-int64(time.Second))
	assert.Less(t, began, time.Now().UnixNano())

	list, err := one.List(t.Context(), upstream.NewListRequest(token, nil, upstream.Selection{Most: 3}))
	require.NoError(t, err)
	one.keys(2)
	same, err := other.List(t.Context(), upstream.NewListRequest(token, nil, upstream.Selection{Most: 3}))
	require.NoError(t, err)
	assert.Equal(t, list, same)
	assert.Equal(t, 2, source.calls)
	_, err = other.List(t.Context(), upstream.NewListRequest(token, nil, upstream.Selection{Most: 4}))
	require.NoError(t, err)
	assert.Equal(t, 3, source.calls, "another list")

	source.err = &upstream.Error{Type: upstream.ItemNotFound, Comment: "No such job."}
	_, _, err = one.ask("bb", false)
	require.ErrorIs(t, err, source.err)
}

func TestTier_NothingIsServedForLongerThanItIsWorth(t *testing.T) {
	redis, source := redistest.Start(t), &api{name: "job"}
	one := join(t, redis, source, 0)
	_, _, err := one.ask("aa", false)
	require.NoError(t, err)
	one.keys(1)
	left, err := redis.Do("PTTL", redis.Keys()[0]).AsInt64()
	require.NoError(t, err)
	assert.LessOrEqual(t, left, int64(10_000))
	for off, want := range map[time.Duration]string{
		0: "HIT", -5 * time.Minute: "INVALID", -time.Second: "INVALID", // it comes from the future
		5 * time.Second: "HIT", 11 * time.Second: "INVALID", 5 * time.Minute: "INVALID",
	} {
		source.err = &upstream.Error{Type: upstream.Unavailable}
		i := join(t, redis, source, off)
		_, _, _ = i.ask("aa", false)
		assert.Equal(t, want, i.outcome(), "a clock that is off by %v", off)
	}
	// Redis says that it is older than the clocks do.
	require.NoError(t, redis.Do("PEXPIRE", redis.Keys()[0], "4000").Error())
	_, began, err := one.ask("aa", false)
	require.NoError(t, err)
	assert.InDelta(t, 6, time.Since(time.Unix(0, began)).Seconds(), 1)
}

func TestTier_FreshGoesPastItAndRefreshesIt(t *testing.T) {
	redis, source := redistest.Start(t), &api{name: "job"}
	one, other := join(t, redis, source, 0), join(t, redis, source, 0)
	_, _, err := one.ask("aa", false)
	require.NoError(t, err)
	one.keys(1)
	before := redis.Dump()
	name, _, err := one.ask("aa", true)
	require.NoError(t, err)
	assert.Equal(t, "job 2", name)
	require.Eventually(t, func() bool { return redis.Dump() != before }, eventually, time.Millisecond)
	name, _, err = other.ask("aa", false)
	require.NoError(t, err)
	assert.Equal(t, "job 2", name)
}

// Two instances fetch at the same time, and the one that began earlier writes last.
func TestTier_AnOlderValueNeverReplacesAYoungerOne(t *testing.T) {
	redis, source := redistest.Start(t), &api{name: "job"}
	late, one := join(t, redis, source, -2*time.Second), join(t, redis, source, 0)
	_, _, err := one.ask("aa", false)
	require.NoError(t, err)
	one.keys(1)
	before := redis.Dump()
	_, _, err = late.ask("aa", true)
	require.NoError(t, err)
	// Another write of the same instance comes after it.
	_, _, err = late.ask("bb", true)
	require.NoError(t, err)
	one.keys(2)
	assert.Contains(t, redis.Dump(), strings.SplitN(before, "\n", 2)[1])
	name, _, err := one.ask("aa", false)
	require.NoError(t, err)
	assert.Equal(t, "job 1", name)
}

func TestTier_ARefusedTokenIsForgottenEverywhere(t *testing.T) {
	redis, source := redistest.Start(t), &api{name: "job", settled: true}
	one, other := join(t, redis, source, 0), join(t, redis, source, 0)
	_, _, err := one.ask("aa", false)
	require.NoError(t, err)
	one.keys(1)
	source.err = &upstream.Error{Type: upstream.BadAPIToken}
	_, _, err = one.ask("bb", false)
	require.ErrorIs(t, err, source.err)
	_, _, err = one.ask("aa", false)
	require.ErrorIs(t, err, source.err, "by the one that was told, at once")
	one.keys(2)
	_, _, err = other.ask("aa", false)
	require.ErrorIs(t, err, source.err, "and by all others")
	assert.Equal(t, 4, source.calls)

	source.err = nil
	_, _, err = one.ask("aa", false)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, began, err := other.ask("aa", false)
		return err == nil && began != 0
	}, eventually, time.Millisecond, "what is fetched after it is shared again")
}

func TestTier_NoFailureIsShared(t *testing.T) {
	redis, source := redistest.Start(t), &api{}
	one := join(t, redis, source, 0)
	for _, failure := range []upstream.ErrorType{upstream.Unavailable, upstream.Timeout, upstream.RateLimited, upstream.Malformed, upstream.InvalidQuery} {
		source.err = &upstream.Error{Type: failure}
		_, _, err := one.ask("aa", false)
		require.ErrorIs(t, err, source.err)
	}
	source.err = nil
	_, _, err := one.ask("bb", false)
	require.NoError(t, err)
	one.keys(1)
}

func TestTier_WhatIsTooLargeIsNotShared(t *testing.T) {
	redis, source := redistest.Start(t), &api{name: strings.Repeat("x", 64<<10)}
	one := join(t, redis, source, 0)
	_, _, err := one.ask("aa", false)
	require.NoError(t, err)
	source.name = "small"
	_, _, err = one.ask("bb", false)
	require.NoError(t, err)
	one.keys(1)
}

func TestTier_ServesWithoutRedis(t *testing.T) {
	redis, source := redistest.Start(t), &api{name: "job"}
	one := join(t, redis, source, 0)
	redis.Kill()
	for n := range 10 {
		_, began, err := one.ask("aa", false)
		require.NoError(t, err)
		assert.Zero(t, began)
		assert.Equal(t, n+1, source.calls)
	}
}
