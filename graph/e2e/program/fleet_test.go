package program_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/fleet/redistest"
	"jobgraph/upstream/sandbox"
)

const fleetSecret = "5ec7e7f1ee75ec7e7f1ee75ec7e7f1ee7"

// counted is a job API that counts what it is asked.
func counted(t *testing.T) (address string, calls *atomic.Int64) {
	t.Helper()
	calls = &atomic.Int64{}
	jobs := sandbox.New(sandbox.Options{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		jobs.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	return api.URL, calls
}

// instance is one of a fleet, which Redis answers in time.
func instance(t *testing.T, redis *redistest.Server, upstream string, args ...string) *program.Program {
	t.Helper()
	p := program.Start(t, append([]string{"--redis-url", redis.URL, "--fleet-secret", fleetSecret, "--upstream-url", upstream,
		"--cache-active", "1m", "--log-level", "debug"}, args...)...)
	isAvailable(t, p)
	return p
}

func askWith(t *testing.T, p *program.Program, token, id string, headers ...string) string {
	t.Helper()
	return ask(t, p, fmt.Sprintf(`{"query": "{ jobById(id: \"%s\") { __typename ... on Job { name status } ... on ApiError { type } } }"}`, id),
		append([]string{"Authorization", "Bearer " + token}, headers...)...)
}

// shared waits until Redis has so many values of one token, and its mark, and gives their keys: nobody waits for writes.
func shared(t *testing.T, redis *redistest.Server, values int) (all []string) {
	t.Helper()
	client := redis.Client()
	require.Eventually(t, func() bool {
		var err error
		all, err = client.Do(t.Context(), client.B().Keys().Pattern("*").Build()).AsStrSlice()
		all = slices.DeleteFunc(all, func(key string) bool { return strings.Contains(key, ":slots:") || strings.Contains(key, "-call:") })
		slices.Sort(all)
		return err == nil && len(all) == values+1
	}, program.Timeout, time.Millisecond)
	return all
}

// has says whether Redis has a key of the kind.
func has(redis *redistest.Server, kind string) bool {
	return strings.Contains(strings.Join(redis.Keys(), " "), ":"+kind+":")
}

const documentedJob = "d4fb871e07514304b23131b45f8caa1f"

// untilHit does what has other find in Redis what one has put there, for the n-th time; it may
// be in vain where this machine takes 15 ms for an answer of Redis.
func untilHit(t *testing.T, other *program.Program, what func(n int)) {
	t.Helper()
	n := 0
	require.Eventually(t, func() bool {
		before := other.Metric(t, `jobgraph_fleet_lookups_total{outcome="HIT"}`)
		what(n)
		n++
		return other.Metric(t, `jobgraph_fleet_lookups_total{outcome="HIT"}`) > before
	}, program.Timeout, time.Millisecond)
}

func TestFleet_WhatOneInstanceFetchedAllServe(t *testing.T) {
	redis := redistest.Start(t)
	api, calls := counted(t)
	one, other := instance(t, redis, api), instance(t, redis, api)
	var before int64
	untilHit(t, other, func(n int) {
		id := fmt.Sprintf("6000000000000000000000000000%04d", n)
		want := askWith(t, one, sandbox.Token, id)
		require.Contains(t, want, `"Job"`)
		shared(t, redis, n+1)
		before = calls.Load()
		assert.Equal(t, want, askWith(t, other, sandbox.Token, id))
	})
	assert.Equal(t, before, calls.Load())
	untilHit(t, other, func(n int) {
		list := fmt.Sprintf(`{"query": "{ jobs(first: %d) { nodes { id name } } }"}`, n+3)
		page := ask(t, one, list, "Authorization", "Bearer "+sandbox.Token)
		require.Contains(t, page, `"id"`)
		require.Eventually(t, func() bool { return has(redis, "list") }, program.Timeout, time.Millisecond)
		assert.Equal(t, page, ask(t, other, list, "Authorization", "Bearer "+sandbox.Token))
	})
}

func TestFleet_NoCacheGoesPastBothTiersAndRefreshesBoth(t *testing.T) {
	redis := redistest.Start(t)
	api, calls := counted(t)
	one, other := instance(t, redis, api), instance(t, redis, api)
	untilHit(t, other, func(n int) {
		id := fmt.Sprintf("6000000000000000000000000000%04d", n)
		askWith(t, one, sandbox.Token, id)
		keys := shared(t, redis, n+1)
		values := func() (all []string) {
			for _, key := range keys {
				value, _ := redis.Do("GET", key).ToString()
				all = append(all, value)
			}
			return all
		}
		before, asked := values(), calls.Load()
		askWith(t, one, sandbox.Token, id, "Cache-Control", "no-cache")
		assert.Equal(t, asked+1, calls.Load())
		require.Eventually(t, func() bool { return !slices.Equal(values(), before) }, program.Timeout, time.Millisecond, "a refreshed value is put")
		askWith(t, other, sandbox.Token, id)
	})
}

func TestFleet_APersistedQueryRegisteredAtOneRunsAtAll(t *testing.T) {
	redis := redistest.Start(t)
	api, _ := counted(t)
	one, other := instance(t, redis, api), instance(t, redis, api)
	require.Eventually(t, func() bool {
		query := fmt.Sprintf("{ a%d: __typename }", time.Now().UnixNano())
		extension := fmt.Sprintf(`"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "%x"}}`, sha256.Sum256([]byte(query)))
		require.Contains(t, ask(t, other, `{`+extension+`}`), "PersistedQueryNotFound")
		require.NotContains(t, ask(t, one, `{"query": "`+query+`", `+extension+`}`), "errors")
		require.Eventually(t, func() bool { return strings.Contains(strings.Join(redis.Keys(), " "), ":document:") }, program.Timeout, time.Millisecond)
		assert.NotContains(t, redis.Dump(), query)
		return strings.Contains(ask(t, other, `{`+extension+`}`), `"Query"`)
	}, program.Timeout, time.Millisecond)
}

// Who wants a job at the same time makes one call, at whatever instance.
func TestFleet_CallsUnderWayAreJoined(t *testing.T) {
	redis := redistest.Start(t)
	var calls atomic.Int64
	jobs := sandbox.New(sandbox.Options{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		time.Sleep(100 * time.Millisecond)
		jobs.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	all := []*program.Program{instance(t, redis, api.URL), instance(t, redis, api.URL), instance(t, redis, api.URL)}
	n := 0
	// It may be in vain where this machine takes 15 ms for an answer of Redis.
	require.Eventually(t, func() bool {
		before, id := calls.Load(), fmt.Sprintf("6000000000000000000000000000%04d", n)
		n++
		var answers [3]string
		var asking sync.WaitGroup
		for n, p := range all {
			asking.Go(func() { answers[n] = askWith(t, p, sandbox.Token, id) })
		}
		asking.Wait()
		assert.Contains(t, answers[0], `"Job"`)
		assert.Equal(t, []string{answers[0], answers[0]}, answers[1:])
		return calls.Load() == before+1
	}, program.Timeout, time.Millisecond)
	joined := 0.0
	for _, p := range all {
		joined += p.Metric(t, `jobgraph_fleet_lookups_total{outcome="JOINED"}`)
	}
	assert.GreaterOrEqual(t, joined, 2.0)
}

// What one instance is told to wait, all do, and together they have the slots of one.
func TestFleet_OneBudget(t *testing.T) {
	redis := redistest.Start(t)
	var calls atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Retry-After", "200")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(api.Close)
	one, other := instance(t, redis, api.URL, "--upstream-concurrency", "32"), instance(t, redis, api.URL, "--upstream-concurrency", "32")
	for _, p := range []*program.Program{one, other} {
		require.Eventually(t, func() bool { return p.Metric(t, "jobgraph_fleet_slots") == 16 }, program.Timeout, 5*time.Millisecond)
	}
	require.Contains(t, askWith(t, one, sandbox.Token, documentedJob), "UPSTREAM_RATE_LIMITED")
	require.Eventually(t, func() bool { return other.Metric(t, "jobgraph_fleet_pauses_total") == 1 }, program.Timeout, 5*time.Millisecond)
	assert.Contains(t, askWith(t, other, sandbox.Token, documentedJob), "UPSTREAM_RATE_LIMITED")
	assert.EqualValues(t, 1, calls.Load())
}

func TestFleet_TokensNeverMix(t *testing.T) {
	redis := redistest.Start(t)
	api, calls := counted(t)
	one, other := instance(t, redis, api), instance(t, redis, api)
	askWith(t, one, sandbox.Token, documentedJob)
	shared(t, redis, 1)
	assert.Contains(t, askWith(t, other, strings.Repeat("ab", 16), documentedJob), "BAD_API_TOKEN")
	assert.EqualValues(t, 2, calls.Load())
}

// What an instance has in memory of a token is served no more once another one sees it refused.
func TestFleet_ARefusedTokenIsForgottenEverywhere(t *testing.T) {
	redis := redistest.Start(t)
	var refused atomic.Bool
	jobs := sandbox.New(sandbox.Options{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused.Load() {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		jobs.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	one, other := instance(t, redis, api.URL), instance(t, redis, api.URL)
	// It is in vain where this machine takes too long for Redis.
	require.Eventually(t, func() bool {
		redis.Do("FLUSHALL")
		refused.Store(false)
		token := sandbox.Token
		require.Contains(t, askWith(t, one, token, documentedJob, "Cache-Control", "no-cache"), `"Job"`)
		require.Contains(t, askWith(t, other, token, documentedJob, "Cache-Control", "no-cache"), `"Job"`)
		refused.Store(true)
		require.NotContains(t, askWith(t, one, token, documentedJob, "Cache-Control", "no-cache"), `"Job"`)
		for range 100 {
			if !strings.Contains(askWith(t, other, token, documentedJob), `"Job"`) {
				return true
			}
			time.Sleep(5 * time.Millisecond)
		}
		return false
	}, program.Timeout, time.Millisecond)
}

// Whoever reads Redis or the log learns nothing.
func TestFleet_RedisAndTheLogTellNothing(t *testing.T) {
	redis := redistest.Start(t)
	api, _ := counted(t)
	one := instance(t, redis, api)
	askWith(t, one, sandbox.Token, documentedJob)
	ask(t, one, `{"query": "{ jobs(first: 3, filter: {name: \"exam*\"}) { nodes { id name } } }"}`, "Authorization", "Bearer "+sandbox.Token)
	askWith(t, one, strings.Repeat("ab", 16), documentedJob)
	require.Eventually(t, func() bool { return has(redis, "refused") }, program.Timeout, time.Millisecond)
	redis.Kill()
	require.Eventually(t, func() bool {
		askWith(t, one, sandbox.Token, documentedJob, "Cache-Control", "no-cache")
		askWith(t, one, sandbox.Token, strings.Repeat("1", 32))
		return strings.Contains(one.Log(), "Redis does not answer")
	}, program.Timeout, 10*time.Millisecond)
	redis.Restart()
	isAvailable(t, one)
	askWith(t, one, sandbox.Token, documentedJob, "Cache-Control", "no-cache")
	ask(t, one, `{"query": "{ jobs(first: 3, filter: {name: \"exam*\"}) { nodes { id name } } }"}`, "Authorization", "Bearer "+sandbox.Token, "Cache-Control", "no-cache")
	require.Eventually(t, func() bool { return has(redis, "list") }, program.Timeout, time.Millisecond)
	seen := map[string]string{"Redis": redis.Dump(), "the log": one.Log(), "metrics": one.Metrics(t)}
	for where, text := range seen {
		for what, canary := range map[string]string{"token": sandbox.Token, "id": documentedJob, "name": "example_job", "URL": strings.TrimPrefix(api, "http://"),
			"filter": "exam*", "password": redistest.Password, "secret": fleetSecret, "bad token": strings.Repeat("ab", 16)} {
			if where == "the log" && what == "URL" {
				continue // it names the job API when it fails
			}
			assert.NotContains(t, text, canary, "%s in %s", what, where)
		}
	}
	for _, key := range redis.Keys() {
		assert.Regexp(t, `^jobgraph:1:(job|list|job-call|list-call|refused|slots):\{[A-Za-z0-9_-]{43}\}$`, key)
		left, err := redis.Do("PTTL", key).AsInt64()
		require.NoError(t, err)
		assert.Positive(t, left, "it ends")
	}
}

func TestFleet_GarbageOfEveryTypeIsAMiss(t *testing.T) {
	redis := redistest.Start(t)
	api, calls := counted(t)
	one := instance(t, redis, api)
	want := askWith(t, one, sandbox.Token, documentedJob)
	keys := shared(t, redis, 1)
	key, mark := keys[0], keys[1]
	require.Contains(t, mark, ":refused:")
	whole, err := redis.Do("GET", key).ToString()
	require.NoError(t, err)
	for n, garbage := range [][]string{
		{"SET", key, "garbage"}, {"SET", key, ""}, {"SET", key, strings.Repeat("x", 1<<20)}, {"SET", key, whole[:len(whole)-1]}, {"SET", key, whole},
		{"SET", key, "f" + whole[1:], "PX", "60000"}, {"SET", key, strings.Repeat("f", 16), "PX", "60000"},
		{"RPUSH", key, "a"}, {"SADD", key, "a"}, {"HSET", key, "a", "b"}, {"ZADD", key, "1", "a"}, {"XADD", key, "*", "a", "b"}, {"PFADD", key, "a"},
		{"SETBIT", key, "7", "1"}, {"RPUSH", mark, "a"},
	} {
		redis.Do("FLUSHALL")
		require.NoError(t, redis.Do(garbage...).Error(), "%v", garbage)
		before := calls.Load()
		other := instance(t, redis, api)
		assert.Equal(t, want, askWith(t, other, sandbox.Token, documentedJob), "%d", n)
		assert.Equal(t, before+1, calls.Load(), "%.60v", garbage)
		require.NoError(t, other.Stop())
	}
}

// Whatever happens to Redis, no query fails.
func TestFleet_NoQueryFailsWhateverHappensToRedis(t *testing.T) {
	redis := redistest.Start(t, "--maxmemory", "20mb", "--maxmemory-policy", "noeviction")
	api, _ := counted(t)
	short := []string{"--cache-settled", "100ms"}
	one, other := instance(t, redis, api, short...), instance(t, redis, api, short...)
	var asked, failed atomic.Int64
	var slowest atomic.Int64
	stop := make(chan struct{})
	var load sync.WaitGroup
	for n := range 8 {
		load.Go(func() {
			for m := 0; ; m++ {
				select {
				case <-stop:
					return
				default:
				}
				began := time.Now()
				answer := askWith(t, []*program.Program{one, other}[m%2], sandbox.Token, fmt.Sprintf("6000000000000000000000000000%04d", (n*7+m)%100))
				slowest.Store(max(slowest.Load(), int64(time.Since(began))))
				asked.Add(1)
				time.Sleep(time.Millisecond)
				time.Sleep(time.Millisecond)
				if !strings.Contains(answer, `"Job"`) {
					failed.Add(1)
				}
			}
		})
	}
	end := sync.OnceFunc(func() { close(stop); load.Wait() })
	defer end()
	during := func(what string, something func()) {
		t.Helper()
		slowest.Store(0)
		before := asked.Load()
		something()
		require.Eventually(t, func() bool { return asked.Load() > before+100 }, program.Timeout, time.Millisecond, what)
		t.Logf("%s: %d queries, the slowest %v", what, asked.Load()-before, time.Duration(slowest.Load()))
		assert.Zero(t, failed.Load(), what)
	}
	during("well", func() { time.Sleep(200 * time.Millisecond) })
	during("flushed", func() { redis.Do("FLUSHALL") })
	during("full", func() { redis.Do("SET", "filler", strings.Repeat("x", 24<<20)) })
	during("frozen", func() { redis.Freeze(); time.Sleep(300 * time.Millisecond) })
	during("thawed", redis.Thaw)
	during("killed", redis.Kill)
	during("restarted", redis.Restart)
	end() // a busy machine may take too long for Redis
	for _, p := range []*program.Program{one, other} {
		isAvailable(t, p)
	}
	untilHit(t, other, func(n int) {
		id := fmt.Sprintf("6000000000000000000000000000%04d", 200+n)
		askWith(t, one, sandbox.Token, id)
		require.Eventually(t, func() bool { return has(redis, "job") }, program.Timeout, time.Millisecond)
		askWith(t, other, sandbox.Token, id)
	})
}

func TestFleet_WrongSettingsAreRefusedInOneLineWithoutRepeatingThem(t *testing.T) {
	const canary = "pass-word-canary"
	for want, args := range map[string][]string{
		"needs --fleet-secret or":   {"--redis-url", "redis://:" + canary + "@host"},
		"must be like redis://":     {"--redis-url", "http://:" + canary + "@host", "--fleet-secret", fleetSecret},
		"32 characters":             {"--redis-url", "redis://host", "--fleet-secret", canary},
		"--redis-prefix":            {"--redis-url", "redis://host", "--fleet-secret", fleetSecret, "--redis-prefix", "a{b"},
		"needs --redis-url":         {"--fleet-secret", fleetSecret},
		"--redis-url-file: open":    {"--redis-url-file", "/nowhere", "--fleet-secret", fleetSecret},
		"--fleet-secret-file: open": {"--redis-url", "redis://host", "--fleet-secret-file", "/nowhere"},
	} {
		said := program.Refuse(t, args...)
		assert.Contains(t, said, want)
		assert.NotContains(t, said, canary)
	}
}
