package fleet_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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
)

// busyAPI is a job API that knows how many calls of each instance are under way.
type busyAPI struct {
	*httptest.Server
	mu     sync.Mutex
	byUser map[string]int // by the User-Agent
	all    int
	most   int // at the same time, since it was set
}

func newBusyAPI(t *testing.T) *busyAPI {
	a := &busyAPI{byUser: map[string]int{}}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.change(r.UserAgent(), 1)
		defer a.change(r.UserAgent(), -1)
		time.Sleep(20 * time.Millisecond)
		_, _ = io.WriteString(w, `{"JobId": "`+r.URL.Query().Get("job_id")+`", "JobStatus": "Pending", "JobCreationDate": "2020-01-01T00:00:00.000000"}`)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *busyAPI) change(user string, by int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byUser[user] += by
	a.all += by
	a.most = max(a.most, a.all)
}

// reach waits until so many calls of the instance are under way at the same time.
func (a *busyAPI) reach(t *testing.T, i *slotted, calls int) {
	t.Helper()
	require.Eventually(t, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		for user, n := range a.byUser {
			if strings.HasSuffix(user, i.version) && n >= calls {
				return true
			}
		}
		return false
	}, eventually, 100*time.Microsecond)
}

// measured is how many calls were under way at most from now on, while something is done.
func (a *busyAPI) measured(what func()) int {
	a.mu.Lock()
	a.most = 0
	a.mu.Unlock()
	what()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.most
}

// slotted is an instance that shares its slots.
type slotted struct {
	*upstream.Client
	shared  *fleet.SharedSlots
	version string
	cancel  context.CancelFunc
	callers sync.WaitGroup
	failed  atomic.Int64
}

const slots = 12

func joinSlots(t *testing.T, redis *redistest.Server, api *busyAPI, version string) *slotted {
	t.Helper()
	f := open(t, fleet.Options{URL: redis.URL})
	client, err := upstream.New(api.URL, upstream.Options{Concurrency: slots, Timeout: 2 * eventually, Version: version})
	require.NoError(t, err)
	available(t, f)
	i := &slotted{Client: client, version: version, shared: fleet.ShareSlots(f, api.URL, slots, client.Slots())}
	t.Cleanup(func() {
		i.rest()
		i.shared.Close()
		client.Close()
	})
	return i
}

// work has so many callers of it ask all the time.
func (i *slotted) work(callers int) {
	var ctx context.Context
	ctx, i.cancel = context.WithCancel(context.Background())
	for n := range callers {
		i.callers.Go(func() {
			r := upstream.NewRequest(fmt.Sprintf("%032x", n), "aa") // of a token each: one has not all slots
			for ctx.Err() == nil {
				if _, err := i.Job(context.WithoutCancel(ctx), r); err != nil {
					i.failed.Add(1)
				}
			}
		})
	}
}

func (i *slotted) rest() {
	if i.cancel != nil {
		i.cancel()
	}
	i.callers.Wait()
}

// settle waits until the shares are these.
func settle(t *testing.T, what string, all []*slotted, right func(sizes []int) bool) {
	t.Helper()
	var sizes []int
	require.Eventually(t, func() bool {
		sizes = nil
		for _, i := range all {
			sizes = append(sizes, i.shared.Size())
		}
		return right(sizes)
	}, eventually, time.Millisecond, what)
}

func sum(sizes []int) (all int) {
	for _, n := range sizes {
		all += n
	}
	return all
}

func even(sizes []int) bool {
	for _, n := range sizes {
		if n != slots/len(sizes) {
			return false
		}
	}
	return true
}

func TestSlots_TheFleetTogetherHasNoMoreThanOneInstance(t *testing.T) {
	t.Parallel()
	redis, api := redistest.Start(t), newBusyAPI(t)
	all := []*slotted{joinSlots(t, redis, api, "1"), joinSlots(t, redis, api, "2"), joinSlots(t, redis, api, "3")}
	settle(t, "at rest each has as many", all, even)

	most := api.measured(func() {
		all[0].work(3 * slots)
		settle(t, "who alone has work has nearly all", all, func(sizes []int) bool { return sizes[0] == slots-2 && sum(sizes) == slots })
		api.reach(t, all[0], slots-2)
		for _, i := range all[1:] {
			i.work(3 * slots)
		}
		settle(t, "who has work later has its part", all, even)
		for _, i := range all {
			api.reach(t, i, slots/3)
		}
	})
	assert.Equal(t, slots, most)

	all[0].rest()
	all[0].shared.Close()
	settle(t, "what was an instance's that ended is the others'", all[1:], even)
	for _, i := range all {
		i.rest()
		assert.Zero(t, i.failed.Load())
	}
}

func TestSlots_WithoutRedisEachHasAnEvenShare(t *testing.T) {
	t.Parallel()
	redis, api := redistest.Start(t), newBusyAPI(t)
	all := []*slotted{joinSlots(t, redis, api, "1"), joinSlots(t, redis, api, "2")}
	settle(t, "at rest each has as many", all, even)
	all[0].work(3 * slots)
	settle(t, "who alone has work has nearly all", all, func(sizes []int) bool { return sizes[0] == slots-1 })
	redis.Kill()
	settle(t, "without Redis", all, even)
	redis.Restart()
	settle(t, "with Redis again", all, func(sizes []int) bool { return sizes[0] == slots-1 })
	all[0].rest()
	assert.Zero(t, all[0].failed.Load())
}

// What somebody puts there, or takes away, is made good.
func TestSlots_GarbageInRedisIsRemoved(t *testing.T) {
	t.Parallel()
	redis, api := redistest.Start(t), newBusyAPI(t)
	all := []*slotted{joinSlots(t, redis, api, "1"), joinSlots(t, redis, api, "2")}
	settle(t, "at rest each has as many", all, even)
	key := redis.Keys()[0]
	for _, garbage := range [][]string{
		{"FLUSHALL"}, {"SET", key, "garbage"}, {"RPUSH", key, "garbage"},
		{"HSET", key, "a", "", "b", "12 12", "c", "12 12 99999999999999", "d", "12 12 1", "e", strings.Repeat("9", 400) + " 1 1", "f", "-1 -1 -1"},
	} {
		if garbage[0] != "HSET" {
			redis.Do("DEL", key)
		}
		require.NoError(t, redis.Do(garbage...).Error())
		require.Eventually(t, func() bool {
			fields, err := redis.Do("HLEN", key).AsInt64()
			return err == nil && fields == 2
		}, eventually, 5*time.Millisecond, "%q", garbage[0])
		settle(t, garbage[0], all, even)
	}
}
