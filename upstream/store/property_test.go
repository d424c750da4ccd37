package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/replay"
	"jobgraph/upstream/store/storetest"
)

// Random callers ask for random jobs with random tokens, leave at random, and time
// passes at random, over the client that lets them share calls.
func TestStore_Properties(t *testing.T) {
	seed := replay.Seed(t)
	now := &storetest.Clock{}
	oracle := storetest.New(seed, now)
	api := httptest.NewServer(oracle)
	defer api.Close()
	client, err := upstream.New(api.URL, upstream.Options{})
	require.NoError(t, err)
	defer client.Close()
	c := New(oracle.Source(client), Options{SettledTTL: time.Minute, ActiveTTL: time.Second, Now: now.Now})
	defer c.Close()
	var callers sync.WaitGroup
	for n := range uint64(16) {
		callers.Go(func() {
			random := rand.New(rand.NewPCG(seed, n+2))
			for range 300 {
				caller{c, oracle, now, random}.ask(t)
			}
		})
	}
	callers.Wait()
	require.Eventually(t, func() bool { return oracle.Open() == 0 }, 10*time.Second, time.Millisecond, "calls that nobody waits for go on")
	everybodyLeaves(t, c, oracle, now)
	now.Advance(2 * time.Minute)
	// The job API may see a call's end before the store does.
	require.Eventually(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.evict()
		return len(c.slots) == 0 && len(c.tokens) == 0 && c.bytes == 0
	}, 10*time.Second, time.Millisecond, "something is left")
}

type caller struct {
	store  *Store
	oracle *storetest.Oracle
	now    *storetest.Clock
	random *rand.Rand
}

func (c caller) ask(t *testing.T) {
	token, ids := []string{"aa11", "bb22", "cc33"}[c.random.IntN(3)], make([]string, 1+c.random.IntN(3))
	for i := range ids {
		ids[i] = []string{"1", "2", "3", "4"}[c.random.IntN(4)]
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if c.random.IntN(4) == 0 {
		defer time.AfterFunc(time.Duration(c.random.IntN(1500))*time.Microsecond, cancel).Stop()
	}
	fresh := c.random.IntN(6) == 0
	request := upstream.NewRequest(token, "")
	request.Fresh = fresh
	moment := c.oracle.Begin()
	given := make([]bool, len(ids))
	c.store.Jobs(ctx, request, ids, func(n int, job *upstream.EncodedJob, err error) {
		assert.False(t, given[n], "a job is given once")
		given[n] = true
		if errors.Is(err, context.Canceled) {
			assert.Error(t, ctx.Err(), "only who has left is told so")
			return
		}
		// The job API can be reached all the time: a call that was left must not look otherwise.
		assert.NotEqual(t, upstream.Unavailable, upstream.TypeOf(err), "%v", err)
		text := storetest.Text(job, err)
		assert.NoError(t, c.oracle.Check(moment, token, ids[n], text))
		if fresh {
			c.oracle.Seen(moment, token, ids[n], text)
		}
	})
	assert.NotContains(t, given, false, "each job is given")
	if c.random.IntN(12) == 0 {
		c.now.Advance(time.Duration(c.random.IntN(600)) * time.Millisecond)
	}
}

// everybodyLeaves has calls hang, and ends when all of them have been given up because
// nobody waits for them any more.
func everybodyLeaves(t *testing.T, s *Store, oracle *storetest.Oracle, now *storetest.Clock) {
	oracle.Hang(true)
	now.Advance(2 * time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var callers sync.WaitGroup
	for _, id := range []string{"1", "2", "3", "4", "1", "2", "1"} {
		callers.Go(func() {
			_, err := s.Job(ctx, upstream.NewRequest("aa11", id))
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
	require.Eventually(t, func() bool { return oracle.Open() == 4 }, 10*time.Second, time.Millisecond)
	cancel()
	callers.Wait()
	require.Eventually(t, func() bool { return oracle.Open() == 0 }, 10*time.Second, time.Millisecond)
}
