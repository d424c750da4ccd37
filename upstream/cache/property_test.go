package cache

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
	"jobgraph/upstream/cache/cachetest"
)

// Random callers ask for random jobs with random tokens, leave at random, and time
// passes at random, over the client that lets them share calls.
func TestProperties(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	now := &cachetest.Clock{}
	oracle := cachetest.New(seed, now)
	api := httptest.NewServer(oracle)
	defer api.Close()
	client, err := upstream.New(api.URL, upstream.Options{})
	require.NoError(t, err)
	defer client.Close()
	c := New(oracle.Source(client), Options{Clock: now})
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
}

type caller struct {
	cache  *Cache
	oracle *cachetest.Oracle
	now    *cachetest.Clock
	random *rand.Rand
}

func (c caller) ask(t *testing.T) {
	token, id := []string{"aa11", "bb22", "cc33"}[c.random.IntN(3)], []string{"1", "2", "3", "4"}[c.random.IntN(4)]
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	if c.random.IntN(4) == 0 {
		defer time.AfterFunc(time.Duration(c.random.IntN(1500))*time.Microsecond, leave).Stop()
	}
	fresh := c.random.IntN(6) == 0
	if fresh {
		ctx = upstream.Fresh(ctx)
	}
	moment := c.oracle.Begin()
	job, err := c.cache.Job(ctx, token, id)
	text := cachetest.Text(job, err)
	if errors.Is(err, context.Canceled) {
		assert.Error(t, ctx.Err(), "only who has left is told so")
		return
	}
	assert.NoError(t, c.oracle.Check(moment, token, id, text))
	if fresh {
		c.oracle.Seen(token, id, text)
	}
	if c.random.IntN(12) == 0 {
		c.now.Advance(time.Duration(c.random.IntN(600)) * time.Millisecond)
	}
}

// everybodyLeaves has calls hang, and ends when all of them have been given up because
// nobody waits for them any more.
func everybodyLeaves(t *testing.T, c *Cache, oracle *cachetest.Oracle, now *cachetest.Clock) {
	oracle.Hang(true)
	now.Advance(2 * time.Minute)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var callers sync.WaitGroup
	for _, id := range []string{"1", "2", "3", "4", "1", "2", "1"} {
		callers.Go(func() {
			_, err := c.Job(ctx, "aa11", id)
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
	require.Eventually(t, func() bool { return oracle.Open() == 4 }, 10*time.Second, time.Millisecond)
	leave()
	callers.Wait()
	require.Eventually(t, func() bool { return oracle.Open() == 0 }, 10*time.Second, time.Millisecond)
}
