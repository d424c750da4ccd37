package admission

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLimiter_RefusesAfterTheQueueWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1)
		require.True(t, l.acquire(t.Context()))
		assert.False(t, l.overloaded(), "the next one may wait")
		began := time.Now()
		assert.False(t, l.acquire(t.Context()))
		assert.Equal(t, queueWait, time.Since(began))

		assert.True(t, l.overloaded())
		began = time.Now()
		assert.False(t, l.acquire(t.Context()))
		assert.Zero(t, time.Since(began), "nobody waits soon after somebody was in vain")

		time.Sleep(vainFor)
		assert.False(t, l.overloaded())
		time.AfterFunc(queueWait/2, l.release)
		assert.True(t, l.acquire(t.Context()), "a permit that comes in time")
		l.release()
	})
}

func TestLimiter_QueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1)
		require.True(t, l.acquire(t.Context()))
		var refused atomic.Int32
		for range maxQueued + 5 {
			go func() {
				if !l.acquire(t.Context()) {
					refused.Add(1)
				}
			}()
		}
		synctest.Wait()
		assert.EqualValues(t, 5, refused.Load(), "at once")
		time.Sleep(queueWait)
		synctest.Wait()
		assert.EqualValues(t, maxQueued+5, refused.Load())
		assert.Zero(t, l.queued.Load())
	})
}

func TestLimiter_CallerWhoLeavesIsNotQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1)
		require.True(t, l.acquire(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		assert.False(t, l.acquire(ctx))
		assert.False(t, l.overloaded(), "who left was not in vain")
	})
}
