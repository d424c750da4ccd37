package tier_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/fleet"
	"jobgraph/upstream/fleet/redistest"
	"jobgraph/upstream/fleet/tier"
	"jobgraph/upstream/store"
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

// instance is a tier of an instance.
type instance struct {
	*tier.Tier
	t        testing.TB
	redis    *redistest.Server
	first    atomic.Pointer[store.Store]
	mu       sync.Mutex
	outcomes []string
}

// refuse has the job API refuse all tokens.
func refuse(source *api) {
	source.mu.Lock()
	defer source.mu.Unlock()
	source.err = &upstream.Error{Type: upstream.BadAPIToken}
}

type setting func(*tier.Options)

func clock(now func() time.Time) setting { return func(o *tier.Options) { o.Now = now } }

func maxJoin(d time.Duration) setting { return func(o *tier.Options) { o.MaxJoin = d } }

func join(t testing.TB, redis *redistest.Server, source tier.API, settings ...setting) *instance {
	t.Helper()
	f, err := fleet.New(fleet.Options{URL: redis.URL, Secret: []byte(strings.Repeat("s", 32)), MaxWait: eventually})
	require.NoError(t, err)
	t.Cleanup(f.Close)
	require.Eventually(t, f.Available, eventually, time.Millisecond)
	i := &instance{t: t, redis: redis}
	opts := tier.Options{SettledTTL: time.Minute, ActiveTTL: 10 * time.Second,
		Forget: func(key upstream.TokenKey) {
			if first := i.first.Load(); first != nil {
				first.Forget(key)
			}
		},
		ObserveLookup: func(outcome string) {
			i.mu.Lock()
			defer i.mu.Unlock()
			i.outcomes = append(i.outcomes, outcome)
		}}
	for _, set := range settings {
		set(&opts)
	}
	i.Tier = tier.New(source, f, opts)
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

// keys waits until Redis has so many values: nobody waits for writes.
func (i *instance) keys(many int) {
	i.t.Helper()
	require.Eventually(i.t, func() bool { return len(i.values()) == many }, eventually, time.Millisecond)
}

// values are the keys that are no marks of tokens and no leases of calls.
func (i *instance) values() []string {
	return slices.DeleteFunc(i.redis.Keys(), func(key string) bool { return isMark(key) || strings.Contains(key, "-call:") })
}

func (i *instance) get(key string) string {
	value, _ := i.redis.Do("GET", key).ToString()
	return value
}

func isMark(key string) bool { return strings.Contains(key, ":refused:") }

func (i *instance) marks() []string {
	return slices.DeleteFunc(i.redis.Keys(), func(key string) bool { return !isMark(key) })
}

// marked waits until Redis has the token's mark.
func (i *instance) marked() {
	i.t.Helper()
	require.Eventually(i.t, func() bool { return len(i.marks()) == 1 }, eventually, time.Millisecond)
}

// memory is the first tier.
func (i *instance) memory() *store.Store {
	s := store.New(i.Tier, store.Options{SettledTTL: time.Minute, ActiveTTL: 10 * time.Second})
	i.t.Cleanup(s.Close)
	i.first.Store(s)
	return s
}

// hearing waits until Redis tells this many instances of refusals.
func hearing(t *testing.T, redis *redistest.Server, instances int64) {
	t.Helper()
	require.Eventually(t, func() bool {
		channels, err := redis.Do("PUBSUB", "CHANNELS", "*:refusals:*").AsStrSlice()
		require.NoError(t, err)
		if len(channels) != 1 {
			return false
		}
		counts, err := redis.Do("PUBSUB", "NUMSUB", channels[0]).ToArray()
		require.NoError(t, err)
		many, err := counts[1].AsInt64()
		require.NoError(t, err)
		return many == instances
	}, eventually, time.Millisecond)
}

func TestTier_WhatOneFetchedIsAHitForAll(t *testing.T) {
	redis, source := redistest.Start(t), &api{name: "job"}
	one, other := join(t, redis, source), join(t, redis, source)
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
	start := time.Now() // the clocks stand still: it does not matter how long this machine takes
	one := join(t, redis, source, clock(func() time.Time { return start }))
	_, _, err := one.ask("aa", false)
	require.NoError(t, err)
	one.keys(1)
	left, err := redis.Do("PTTL", one.values()[0]).AsInt64()
	require.NoError(t, err)
	assert.LessOrEqual(t, left, int64(10_000))
	for off, want := range map[time.Duration]string{
		0: "HIT", -5 * time.Minute: "INVALID", -time.Second: "INVALID", // it comes from the future
		5 * time.Second: "HIT", 11 * time.Second: "INVALID", 5 * time.Minute: "INVALID",
	} {
		source.err = &upstream.Error{Type: upstream.Unavailable}
		i := join(t, redis, source, clock(func() time.Time { return start.Add(off) }))
		_, _, _ = i.ask("aa", false)
		assert.Equal(t, want, i.outcome(), "a clock that is off by %v", off)
	}
	// Redis says that it is older than the clocks do.
	require.NoError(t, redis.Do("PEXPIRE", one.values()[0], "4000").Error())
	_, began, err := one.ask("aa", false)
	require.NoError(t, err)
	assert.InDelta(t, 7.5, start.Sub(time.Unix(0, began)).Seconds(), 1.5)
}

func TestTier_FreshGoesPastItAndRefreshesIt(t *testing.T) {
	redis, source := redistest.Start(t), &api{name: "job"}
	one, other := join(t, redis, source), join(t, redis, source)
	_, _, err := one.ask("aa", false)
	require.NoError(t, err)
	one.keys(1)
	before := one.get(one.values()[0])
	name, _, err := one.ask("aa", true)
	require.NoError(t, err)
	assert.Equal(t, "job 2", name)
	require.Eventually(t, func() bool { return one.get(one.values()[0]) != before }, eventually, time.Millisecond)
	name, _, err = other.ask("aa", false)
	require.NoError(t, err)
	assert.Equal(t, "job 2", name)
}

// Two instances fetch at the same time, and the one that began earlier writes last.
func TestTier_AnOlderValueNeverReplacesAYoungerOne(t *testing.T) {
	redis, source := redistest.Start(t), &api{name: "job"}
	start := time.Now()
	late := join(t, redis, source, clock(func() time.Time { return start.Add(-2 * time.Second) }))
	one := join(t, redis, source, clock(func() time.Time { return start }))
	_, _, err := one.ask("aa", false)
	require.NoError(t, err)
	one.keys(1)
	before := one.values()[0]
	value := one.get(before)
	_, _, err = late.ask("aa", true)
	require.NoError(t, err)
	// Another write of the same instance comes after it.
	_, _, err = late.ask("bb", true)
	require.NoError(t, err)
	one.keys(2)
	assert.Equal(t, value, one.get(before))
	name, _, err := one.ask("aa", false)
	require.NoError(t, err)
	assert.Equal(t, "job 1", name)
}

func TestTier_ARefusedTokenIsForgottenEverywhere(t *testing.T) {
	redis, source := redistest.Start(t), &api{name: "job", settled: true}
	one, other := join(t, redis, source), join(t, redis, source)
	_, _, err := one.ask("aa", false)
	require.NoError(t, err)
	one.keys(1)
	one.marked()
	source.err = &upstream.Error{Type: upstream.BadAPIToken}
	_, _, err = one.ask("bb", false)
	require.ErrorIs(t, err, source.err)
	_, _, err = one.ask("aa", false)
	require.ErrorIs(t, err, source.err, "by the one that was told, at once")
	require.Eventually(t, func() bool {
		_, _, err = other.ask("aa", false)
		return err != nil
	}, eventually, time.Millisecond, "and by all others")

	source.err = nil
	_, _, err = one.ask("aa", false)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, began, err := other.ask("aa", false)
		return err == nil && began != 0
	}, eventually, time.Millisecond, "what is fetched after it is shared again")
}

// One instance has what it serves in memory, and another one is told that the token is refused; it
// is said whether that one has ever seen an answer to it, and how far its clock is off.
func TestTier_ARefusedTokenIsForgottenInMemoryToo(t *testing.T) {
	for name, test := range map[string]struct {
		known bool
		off   time.Duration
	}{
		"by one that served it":    {true, 0},
		"by one that never saw it": {false, 0},
		"by one that is behind":    {false, -5 * time.Minute},
		"by one that is ahead":     {true, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			redis, source := redistest.Start(t), &api{name: "job", settled: true}
			one, other := join(t, redis, source), join(t, redis, source, clock(func() time.Time { return time.Now().Add(test.off) }))
			memory := one.memory()
			get := func(id string) error {
				_, err := memory.Job(t.Context(), upstream.NewRequest(token, id))
				return err
			}
			require.NoError(t, get("aa"))
			require.NoError(t, get("bb"))
			one.keys(2)
			one.marked()
			hearing(t, redis, 2)
			if test.known {
				_, _, err := other.ask("cc", false)
				require.NoError(t, err)
			}
			refuse(source)
			require.NoError(t, get("aa"), "it is in memory")
			_, _, err := other.ask("bb", true)
			require.Error(t, err)
			require.Eventually(t, func() bool { return get("aa") != nil }, eventually, time.Millisecond)
			assert.Error(t, get("bb"), "nor is it found in Redis")
		})
	}
}

// A refusal whose message was lost is found by the next lookup.
func TestTier_ALostRefusalIsFound(t *testing.T) {
	redis, source := redistest.Start(t), &api{name: "job", settled: true}
	other := join(t, redis, source)
	_, _, err := other.ask("aa", false)
	require.NoError(t, err)
	other.marked()
	none := other.get(other.marks()[0])
	refuse(source)
	_, _, err = other.ask("aa", true)
	require.Error(t, err)
	require.Eventually(t, func() bool { return other.get(other.marks()[0]) != none }, eventually, time.Millisecond)
	mark := other.marks()[0]
	refused, err := redis.Do("GET", mark).ToString()
	require.NoError(t, err)
	require.NoError(t, redis.Do("FLUSHALL").Error())

	source.err = nil
	one := join(t, redis, source)
	memory := one.memory()
	get := func(id string) {
		_, err := memory.Job(t.Context(), upstream.NewRequest(token, id))
		require.NoError(t, err)
	}
	lookups := func() int {
		one.mu.Lock()
		defer one.mu.Unlock()
		return len(one.outcomes)
	}
	get("aa")
	get("aa")
	require.Equal(t, 1, lookups())
	one.marked()
	require.NoError(t, redis.Do("SET", mark, refused, "PX", "60000").Error())
	get("bb")
	get("aa")
	assert.Equal(t, 3, lookups(), "memory does not serve it")
}

// Tokens that are anything at all leave nothing in Redis.
func TestTier_ATokenThatWasNeverAnsweredLeavesNoMark(t *testing.T) {
	redis, source := redistest.Start(t), &api{err: &upstream.Error{Type: upstream.BadAPIToken}}
	one := join(t, redis, source)
	for n := range 20 {
		_, err := one.Job(t.Context(), upstream.NewRequest(fmt.Sprint("bad", n), "aa"))
		require.Error(t, err)
	}
	source.mu.Lock()
	source.err = nil
	source.mu.Unlock()
	_, _, err := one.ask("aa", false) // what is written after them
	require.NoError(t, err)
	one.keys(1)
	one.marked()
	assert.Len(t, redis.Keys(), 2)
}

func TestTier_NoFailureIsShared(t *testing.T) {
	redis, source := redistest.Start(t), &api{}
	one := join(t, redis, source)
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
	one := join(t, redis, source)
	_, _, err := one.ask("aa", false)
	require.NoError(t, err)
	source.name = "small"
	_, _, err = one.ask("bb", false)
	require.NoError(t, err)
	one.keys(1)
}

func TestTier_ServesWithoutRedis(t *testing.T) {
	redis, source := redistest.Start(t), &api{name: "job"}
	one := join(t, redis, source)
	redis.Kill()
	for n := range 10 {
		_, began, err := one.ask("aa", false)
		require.NoError(t, err)
		assert.Zero(t, began)
		assert.Equal(t, n+1, source.calls)
	}
}
