package admission

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"jobgraph/upstream"
	"jobgraph/upstream/policy"
)

const (
	// burstWait is how long a query waits for its permit before it is refused, where
	// nobody was in vain for calmAfter: what comes at once, or while the processor was away,
	// is done by then. queueWait is it sooner after that, and for what is heavy: what waits
	// holds memory.
	burstWait = 150 * time.Millisecond
	queueWait = 20 * time.Millisecond
	calmAfter = 5 * time.Second
	// maxQueued bounds how many wait.
	maxQueued = 256
	// vainFor is how long nobody is queued after somebody was in vain: under overload a
	// refusal is told at once, and costs no timer.
	vainFor = 100 * time.Millisecond
)

// limiter bounds what is executed at the same time, and shares its slots among tokens as
// calls of the job API are: operations of one token that hang leave slots to all others.
type limiter struct {
	slots   *policy.FairQueue
	maxWait time.Duration // for slots
	token   func(ctx context.Context) string
	vainAt  atomic.Int64 // unix nanoseconds
}

func newLimiter(slots int, maxWait time.Duration, token func(ctx context.Context) string) *limiter {
	return &limiter{slots: policy.NewFairQueue(slots, maxQueued), maxWait: maxWait, token: token}
}

// acquire gives so many slots to an operation, or refuses it.
func (l *limiter) acquire(ctx context.Context, slots int) (release func(), ok bool) {
	tenant, err := l.slots.Acquire(ctx, upstream.KeyOf(l.token(ctx)), nil, slots, l.queueTimeout())
	switch {
	case err == nil:
		return func() { l.slots.Release(tenant, slots) }, true
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		l.vainAt.Store(time.Now().UnixNano())
	}
	return nil, false
}

// overloaded says whether the caller would be refused a slot at once.
func (l *limiter) overloaded(ctx context.Context) bool {
	return !l.slots.Takes(upstream.KeyOf(l.token(ctx)), l.queueTimeout() > 0)
}

// queueTimeout is how long to wait for slots at most.
func (l *limiter) queueTimeout() time.Duration {
	switch since := time.Now().UnixNano() - l.vainAt.Load(); {
	case since < int64(vainFor):
		return 0
	case since < int64(calmAfter):
		return queueWait
	default:
		return l.maxWait
	}
}
