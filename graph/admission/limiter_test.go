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

type tokenKey struct{}

func withToken(t *testing.T, token string) context.Context {
	return context.WithValue(t.Context(), tokenKey{}, token)
}

// limiterOf takes the token from the context.
func limiterOf(slots int) *limiter {
	return newLimiter(slots, burstWait, func(ctx context.Context) string {
		token, _ := ctx.Value(tokenKey{}).(string)
		return token
	})
}

// take is an operation of one slot that goes on until the test releases it.
func take(t *testing.T, l *limiter, ctx context.Context) (release func()) {
	release, ok := l.acquire(ctx, 1)
	require.True(t, ok)
	return release
}

func refuses(l *limiter, ctx context.Context) bool {
	_, ok := l.acquire(ctx, 1)
	return !ok
}

func TestLimiter_RefusesAfterTheQueueWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ctx := limiterOf(1), t.Context()
		release := take(t, l, ctx)
		assert.False(t, l.overloaded(ctx), "the next one may wait")
		began := time.Now()
		assert.True(t, refuses(l, ctx))
		assert.Equal(t, burstWait, time.Since(began))

		assert.True(t, l.overloaded(ctx))
		began = time.Now()
		assert.True(t, refuses(l, ctx))
		assert.Zero(t, time.Since(began), "nobody waits soon after somebody was in vain")

		time.Sleep(vainFor)
		assert.False(t, l.overloaded(ctx))
		began = time.Now()
		assert.True(t, refuses(l, ctx))
		assert.Equal(t, queueWait, time.Since(began), "under overload")

		time.Sleep(vainFor)
		time.AfterFunc(queueWait/2, release)
		release = take(t, l, ctx)
		time.AfterFunc(burstWait-1, release)
		take(t, l, ctx)() // as somebody who waited was not in vain
	})
}

func TestLimiter_QueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiterOf(1)
		take(t, l, t.Context())
		var refused atomic.Int32
		for range maxQueued + 5 {
			go func() {
				if refuses(l, t.Context()) {
					refused.Add(1)
				}
			}()
		}
		synctest.Wait()
		assert.EqualValues(t, 5, refused.Load(), "at once")
		assert.True(t, l.overloaded(t.Context()), "the queue is full")
		assert.False(t, l.overloaded(withToken(t, "aa")), "of another token's")
		time.Sleep(burstWait)
		synctest.Wait()
		assert.EqualValues(t, maxQueued+5, refused.Load())
		assert.Zero(t, l.slots.Waiting())
	})
}

func TestLimiter_CallerWhoLeavesWasNotInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiterOf(1)
		take(t, l, t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		assert.True(t, refuses(l, ctx))
		assert.False(t, l.overloaded(t.Context()))
	})
}

// A token that has used up its share is refused at once, and others are not.
func TestLimiter_OneTokenLeavesSlotsToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, noisy, quiet := limiterOf(256), withToken(t, "aa"), withToken(t, "bb")
		held := 0
		for !refuses(l, noisy) {
			held++
		}
		assert.Equal(t, 210, held)
		assert.True(t, l.overloaded(noisy))
		assert.False(t, l.overloaded(quiet))
		began := time.Now()
		take(t, l, quiet)
		assert.Zero(t, time.Since(began))
	})
}
