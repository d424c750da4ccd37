package fleet_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/fleet"
	"jobgraph/upstream/fleet/redistest"
)

// limiting is a job API that tells tokens with a 1 in front to wait, and counts what it is asked.
type limiting struct {
	*httptest.Server
	calls atomic.Int64
}

const (
	limitedToken = "11111111111111111111111111111111"
	otherToken   = "22222222222222222222222222222222"
)

func newLimiting(t *testing.T, after string) *limiting {
	a := &limiting{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.calls.Add(1)
		if strings.HasPrefix(r.URL.Query().Get("api_token"), "1") {
			w.Header().Set("Retry-After", after)
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = io.WriteString(w, `{"JobId": "aa", "JobStatus": "Pending", "JobCreationDate": "2020-01-01T00:00:00.000000"}`)
	}))
	t.Cleanup(a.Close)
	return a
}

// pausing is an instance that shares pauses.
type pausing struct {
	*upstream.Client
	pauses *fleet.Pauses
}

func joinPauses(t *testing.T, redis *redistest.Server, api *limiting) *pausing {
	t.Helper()
	f := open(t, fleet.Options{URL: redis.URL})
	available(t, f)
	p := fleet.SharePauses(f, api.URL, func(r upstream.Request) ([]string, bool) { return []string{"token", r.Token}, true })
	client, err := upstream.New(api.URL, upstream.Options{Timeout: eventually, Pauses: p})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return &pausing{client, p}
}

// waits says whether the token has to wait, and how long, without asking the job API.
func (i *pausing) waits(token string) time.Duration {
	return i.pauses.Remaining(upstream.NewRequest(token, "aa"))
}

// listening waits until the instances hear what is published.
func listening(t *testing.T, redis *redistest.Server, instances int) {
	t.Helper()
	require.Eventually(t, func() bool {
		channels, err := redis.Do("PUBSUB", "CHANNELS", "*:paused:*").AsStrSlice()
		if err != nil || len(channels) != 1 {
			return false
		}
		all, err := redis.Do("PUBSUB", "NUMSUB", channels[0]).AsIntMap()
		return err == nil && all[channels[0]] == int64(instances)
	}, eventually, 5*time.Millisecond)
}

func TestPauses_OneInstanceIsToldAndAllWait(t *testing.T) {
	t.Parallel()
	redis, api := redistest.Start(t), newLimiting(t, "200")
	all := []*pausing{joinPauses(t, redis, api), joinPauses(t, redis, api), joinPauses(t, redis, api)}
	listening(t, redis, len(all))
	limited, other := upstream.NewRequest(limitedToken, "aa"), upstream.NewRequest(otherToken, "aa")
	_, err := all[0].Job(t.Context(), limited)
	require.Error(t, err)
	require.EqualValues(t, 1, api.calls.Load())
	for _, i := range all {
		require.Eventually(t, func() bool { return i.waits(limitedToken) > 0 }, eventually, time.Millisecond)
		_, err := i.Job(t.Context(), limited)
		failed := upstream.ErrorOf(err)
		require.NotNil(t, failed)
		assert.InDelta(t, 200, failed.RetryAfter.Seconds(), 100, "a duration, not a moment")
		assert.EqualValues(t, 1, api.calls.Load(), "the job API is not asked")
	}
	later := joinPauses(t, redis, api)
	require.Eventually(t, func() bool { return later.waits(limitedToken) > 0 }, eventually, time.Millisecond, "who comes later learns it")
	assert.LessOrEqual(t, later.waits(limitedToken), 200*time.Second)
	_, err = later.Job(t.Context(), limited)
	require.Error(t, err)
	assert.EqualValues(t, 1, api.calls.Load())

	for _, i := range append(all, later) {
		_, err := i.Job(t.Context(), other)
		require.NoError(t, err, "another token does not wait")
	}
	assert.Zero(t, all[0].pauses.Heard(), "its own")
	assert.EqualValues(t, 1, all[1].pauses.Heard())
	for _, secret := range []string{limitedToken, api.URL} {
		assert.NotContains(t, redis.Dump(), secret)
	}
}

func TestPauses_EndByThemselves(t *testing.T) {
	t.Parallel()
	redis, api := redistest.Start(t), newLimiting(t, "1")
	one, other := joinPauses(t, redis, api), joinPauses(t, redis, api)
	listening(t, redis, 2)
	_, err := one.Job(t.Context(), upstream.NewRequest(limitedToken, "aa"))
	require.Error(t, err)
	require.Eventually(t, func() bool { return other.pauses.Heard() == 1 }, eventually, time.Millisecond)
	require.Eventually(t, func() bool { return other.waits(limitedToken) == 0 }, eventually, time.Millisecond)
	_, err = other.Job(t.Context(), upstream.NewRequest(limitedToken, "aa"))
	require.Error(t, err)
	assert.EqualValues(t, 2, api.calls.Load())
}

// What was not sealed by this fleet has nobody wait.
func TestPauses_GarbageInRedisIsNothing(t *testing.T) {
	t.Parallel()
	redis, api := redistest.Start(t), newLimiting(t, "200")
	one := joinPauses(t, redis, api)
	tell := func(token string) {
		_, err := one.Job(t.Context(), upstream.NewRequest(token, "aa"))
		require.Error(t, err)
	}
	tell(limitedToken)
	require.Eventually(t, func() bool { return len(redis.Keys()) == 1 }, eventually, time.Millisecond)
	key := redis.Keys()[0]
	fields, err := redis.Do("HKEYS", key).AsStrSlice()
	require.NoError(t, err)
	value, err := redis.Do("HGET", key, fields[0]).ToString()
	require.NoError(t, err)
	ends, sealed, _ := strings.Cut(value, " ")
	altered := sealed[:len(sealed)-1] + string(sealed[len(sealed)-1]^1)
	require.NoError(t, redis.Do("HSET", key, fields[0], ends+" "+altered, "a", "", "b", ends+" x", "c", "x "+sealed, "d", "1 "+sealed,
		"e", strings.Repeat("9", 400)+" "+sealed).Error())
	tell("12222222222222222222222222222222")
	require.Eventually(t, func() bool { return hlen(redis, key) == 7 }, eventually, time.Millisecond)
	later := joinPauses(t, redis, api)
	require.Eventually(t, func() bool { return later.waits("12222222222222222222222222222222") > 0 }, eventually, time.Millisecond)
	assert.Zero(t, later.waits(limitedToken))
	assert.EqualValues(t, 1, later.pauses.Heard())

	require.NoError(t, redis.Do("SET", key, "garbage").Error())
	listening(t, redis, 2)
	require.NoError(t, redis.Do("PUBLISH", strings.Replace(key, ":pauses:", ":paused:", 1), altered).Error())
	tell("13333333333333333333333333333333")
	require.Eventually(t, func() bool { return later.waits("13333333333333333333333333333333") > 0 }, eventually, time.Millisecond)
	assert.EqualValues(t, 1, hlen(redis, key), "what is no hash is removed")
	assert.Zero(t, later.waits(limitedToken))
}

func hlen(redis *redistest.Server, key string) int64 {
	n, _ := redis.Do("HLEN", key).AsInt64()
	return n
}
