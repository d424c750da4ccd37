package tier_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/fleet/redistest"
)

// slowAPI answers when it is told to.
type slowAPI struct {
	api
	name      string
	begun     atomic.Int64
	cancelled atomic.Int64
	answer    chan error // one for each call; closed: all are answered
}

func slow(name string) *slowAPI { return &slowAPI{name: name, answer: make(chan error)} }

func (a *slowAPI) Job(ctx context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	a.begun.Add(1)
	select {
	case err := <-a.answer:
		if err != nil {
			return nil, err
		}
	case <-ctx.Done():
		a.cancelled.Add(1)
		return nil, ctx.Err()
	}
	job := upstream.Job{ID: r.Key.ID, Status: upstream.StatusPending, Name: &a.name, CreationDate: new(time.Unix(1, 0))}
	return job.Encode(), nil
}

// answered is what somebody was given.
type answered struct {
	name  string
	began int64
	err   error
}

func (i *instance) asking(id string) <-chan answered {
	asking := make(chan answered, 1)
	go func() {
		name, began, err := i.ask(id, false)
		asking <- answered{name, began, err}
	}()
	return asking
}

// answerOf waits for what somebody is given.
func answerOf(t *testing.T, asking <-chan answered) answered {
	t.Helper()
	select {
	case got := <-asking:
		return got
	case <-time.After(eventually):
		require.FailNow(t, "nothing is given")
		return answered{}
	}
}

// lease waits until the lease has so many names: the holder's, and those of who waits. It gives its key.
func lease(t *testing.T, redis *redistest.Server, names int) (key string) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, key = range redis.Keys() {
			if strings.Contains(key, "-call:") {
				holder, _ := redis.Do("GET", key).ToString()
				return len(strings.Fields(holder)) == names
			}
		}
		return false
	}, eventually, 5*time.Millisecond)
	return key
}

// listening waits until all instances hear each other.
func listening(t *testing.T, redis *redistest.Server, instances int) {
	t.Helper()
	require.Eventually(t, func() bool {
		channels, err := redis.Do("PUBSUB", "CHANNELS", "*:signals:*").AsStrSlice()
		return err == nil && len(channels) == instances
	}, eventually, 5*time.Millisecond)
}

func TestTier_InstancesJoinOneCall(t *testing.T) {
	redis, source := redistest.Start(t), slow("one")
	one, second, third := join(t, redis, source, maxJoin(eventually)), join(t, redis, source, maxJoin(eventually)), join(t, redis, source, maxJoin(eventually))
	listening(t, redis, 3)
	all := []<-chan answered{one.asking("aa"), second.asking("aa"), third.asking("aa")}
	lease(t, redis, 3)
	source.answer <- nil
	joined := 0
	for _, asking := range all {
		got := answerOf(t, asking)
		require.NoError(t, got.err)
		assert.Equal(t, "one", got.name)
		if got.began != 0 {
			joined++
		}
	}
	assert.Equal(t, 2, joined)
	assert.EqualValues(t, 1, source.begun.Load())
	one.keys(1) // the lease is gone
}

func TestTier_ADeadHolderCostsAShortWait(t *testing.T) {
	redis, dead, source := redistest.Start(t), slow("dead"), slow("own")
	one, other := join(t, redis, dead, maxJoin(200*time.Millisecond)), join(t, redis, source, maxJoin(200*time.Millisecond))
	listening(t, redis, 2)
	never := one.asking("aa")
	lease(t, redis, 1)
	waiter := other.asking("aa")
	require.NoError(t, redis.Do("PEXPIRE", lease(t, redis, 2), "3600000").Error(), "its end is not what is waited for")
	close(source.answer)
	got := answerOf(t, waiter)
	require.NoError(t, got.err)
	assert.Equal(t, "own", got.name)
	assert.Empty(t, never)
	close(dead.answer)
	answerOf(t, never)
}

// Who made a call of its own, too, takes what comes first.
func TestTier_ASlowHolderIsNotSlowerThanOnesOwnCall(t *testing.T) {
	redis, first, source := redistest.Start(t), slow("first"), slow("own")
	one, other := join(t, redis, first, maxJoin(eventually)), join(t, redis, source, maxJoin(eventually))
	listening(t, redis, 2)
	holder := one.asking("aa")
	lease(t, redis, 1)
	waiter := make(chan answered, 1)
	go func() {
		r := upstream.NewRequest(token, "aa")
		r.Deadline = time.Now().Add(200 * time.Millisecond) // a quarter of which is waited
		job, err := other.Job(t.Context(), r)
		got := answered{err: err}
		if err == nil {
			got.name = *job.Name()
		}
		waiter <- got
	}()
	require.Eventually(t, func() bool { return source.begun.Load() == 1 }, eventually, time.Millisecond)
	close(first.answer)
	assert.Equal(t, "first", answerOf(t, holder).name)
	got := answerOf(t, waiter)
	require.NoError(t, got.err)
	assert.Equal(t, "first", got.name)
	assert.EqualValues(t, 1, source.cancelled.Load())
}

// The next one who asks takes an old lease, and its former holder is told.
func TestTier_AnOldLeaseIsTakenOver(t *testing.T) {
	redis, dead, source := redistest.Start(t), slow("dead"), slow("own")
	one, other := join(t, redis, dead, maxJoin(time.Second)), join(t, redis, source, maxJoin(time.Second))
	listening(t, redis, 2)
	never := one.asking("aa")
	key := lease(t, redis, 1)
	former, err := redis.Do("GET", key).ToString()
	require.NoError(t, err)
	require.NoError(t, redis.Do("PEXPIRE", key, "8999").Error())
	holder := other.asking("aa")
	lease(t, redis, 2)
	names, err := redis.Do("GET", key).ToString()
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(names, " "+former), "%s", names)
	source.answer <- nil
	got := answerOf(t, holder)
	require.NoError(t, got.err)
	assert.Equal(t, "own", got.name)
	close(dead.answer)
	answerOf(t, never)
}

func TestTier_AHoldersFailureIsNobodyElses(t *testing.T) {
	redis, failing, source := redistest.Start(t), slow("failing"), slow("own")
	close(source.answer)
	one, other := join(t, redis, failing, maxJoin(eventually)), join(t, redis, source, maxJoin(eventually))
	listening(t, redis, 2)
	holder := one.asking("aa")
	lease(t, redis, 1)
	waiter := other.asking("aa")
	lease(t, redis, 2)
	failing.answer <- &upstream.Error{Type: upstream.Unavailable}
	assert.Error(t, answerOf(t, holder).err)
	got := answerOf(t, waiter)
	require.NoError(t, got.err)
	assert.Equal(t, "own", got.name)

	alone := one.asking("bb")
	lease(t, redis, 1)
	failing.answer <- &upstream.Error{Type: upstream.Unavailable}
	assert.Error(t, answerOf(t, alone).err)
	require.Eventually(t, func() bool { return !strings.Contains(strings.Join(redis.Keys(), " "), "-call:") }, eventually, 5*time.Millisecond)
}

func TestTier_NobodyWaitsForWhatIsTooLarge(t *testing.T) {
	redis, large, source := redistest.Start(t), slow(strings.Repeat("x", 64<<10)), slow("own")
	close(large.answer)
	one, other := join(t, redis, large, maxJoin(eventually)), join(t, redis, source, maxJoin(eventually))
	listening(t, redis, 2)
	answerOf(t, one.asking("aa"))
	key := lease(t, redis, 1)
	require.Eventually(t, func() bool { holder, _ := redis.Do("GET", key).ToString(); return holder == "-" }, eventually, time.Millisecond)
	all := []<-chan answered{other.asking("aa"), one.asking("aa")}
	require.Eventually(t, func() bool { return source.begun.Load() == 1 && large.begun.Load() == 2 }, eventually, time.Millisecond, "both ask at once")
	close(source.answer)
	for _, asking := range all {
		require.NoError(t, answerOf(t, asking).err)
	}
}

func TestTier_NobodyWaitsWithoutRedis(t *testing.T) {
	redis, never, source := redistest.Start(t), slow("never"), slow("own")
	close(source.answer)
	one, other := join(t, redis, never, maxJoin(eventually)), join(t, redis, source, maxJoin(eventually))
	listening(t, redis, 2)
	holder := one.asking("aa")
	lease(t, redis, 1)
	waiter := other.asking("aa")
	lease(t, redis, 2)
	redis.Kill()
	got := answerOf(t, waiter)
	require.NoError(t, got.err)
	assert.Equal(t, "own", got.name)
	close(never.answer)
	answerOf(t, holder)
}

func TestTier_NobodyWaitsForALeaseThatIsGone(t *testing.T) {
	redis, never, source := redistest.Start(t), slow("never"), slow("own")
	close(source.answer)
	one, other := join(t, redis, never, maxJoin(eventually)), join(t, redis, source, maxJoin(eventually))
	listening(t, redis, 2)
	holder := one.asking("aa")
	lease(t, redis, 1)
	waiter := other.asking("aa")
	key := lease(t, redis, 2)
	require.NoError(t, redis.Do("DEL", key).Error())
	assert.Equal(t, "own", answerOf(t, waiter).name)
	close(never.answer)
	answerOf(t, holder)
}

func TestTier_GarbageInPlaceOfALeaseIsNone(t *testing.T) {
	redis, source := redistest.Start(t), slow("own")
	close(source.answer)
	one := join(t, redis, source, maxJoin(eventually))
	listening(t, redis, 1)
	held := slow("held")
	holder := join(t, redis, held, maxJoin(eventually))
	listening(t, redis, 2)
	waiting := holder.asking("aa")
	key := lease(t, redis, 1)
	for _, garbage := range [][]string{{"SET", key, "garbage"}, {"RPUSH", key, "garbage"}, {"SET", key, strings.Repeat("x ", 1<<16), "PX", "100000"}, {"SET", key, ""}} {
		redis.Do("FLUSHALL")
		require.NoError(t, redis.Do(garbage...).Error())
		got := answerOf(t, one.asking("aa"))
		require.NoError(t, got.err)
		assert.Equal(t, "own", got.name)
	}
	close(held.answer)
	answerOf(t, waiting)
}
