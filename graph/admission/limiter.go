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
	// burstWait is how long a query waits for its permit before it is refused. While operations
	// end, maxQueued of them are served in less: a refusal comes at once or not at all.
	// queueWait is the limit for what is heavy, and for everything from a wait in vain until
	// the next one that ends in a slot: what waits holds memory.
	burstWait = 500 * time.Millisecond
	queueWait = 20 * time.Millisecond
	// maxQueued bounds how many wait.
	maxQueued = 384
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
	vainAt  atomic.Int64 // the last wait in vain, in unix nanoseconds; 0: a later one ended in a slot, or there was none
}

func newLimiter(slots int, maxWait time.Duration, token func(ctx context.Context) string) *limiter {
	return &limiter{slots: policy.NewFairQueue(slots, maxQueued), maxWait: maxWait, token: token}
}

// acquire gives so many slots to an operation, or refuses it.
func (l *limiter) acquire(ctx context.Context, slots int) (release func(), ok bool) {
	token, timeout := upstream.KeyOf(l.token(ctx)), l.queueTimeout()
	tenant, err := l.slots.Acquire(ctx, token, nil, slots, 0)
	if err != nil && timeout > 0 {
		tenant, err = l.slots.Acquire(ctx, token, nil, slots, timeout)
		switch {
		case err == nil:
			l.vainAt.Store(0)
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			l.vainAt.Store(time.Now().UnixNano())
		}
	}
	if err != nil {
		return nil, false
	}
	return func() { l.slots.Release(tenant, slots) }, true
}

// overloaded says whether the caller would be refused a slot at once.
func (l *limiter) overloaded(ctx context.Context) bool {
	return !l.slots.Takes(upstream.KeyOf(l.token(ctx)), l.queueTimeout() > 0)
}

// queueTimeout is how long to wait for slots at most.
func (l *limiter) queueTimeout() time.Duration {
	switch vainAt := l.vainAt.Load(); {
	case vainAt == 0:
		return l.maxWait
	case time.Now().UnixNano()-vainAt < int64(vainFor):
		return 0
	default:
		return min(queueWait, l.maxWait)
	}
}
