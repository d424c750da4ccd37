package admission

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"jobgraph/graph/budget"
)

const (
	// queueWait is how long an operation waits for a permit before it is refused.
	queueWait = 20 * time.Millisecond
	// maxQueued bounds how many wait.
	maxQueued = 256
	// vainFor is how long nobody is queued after somebody was in vain: under overload a
	// refusal is told at once, and costs no timer.
	vainFor = 100 * time.Millisecond
)

// limiter bounds the queries that are executed at the same time. A response that is
// cached, or made for an equal query already, needs no permit: it costs no more than a
// refusal. First come, first served.
type limiter struct {
	permits chan struct{}
	queued  atomic.Int64
	vainAt  atomic.Int64 // unix nanoseconds
}

func newLimiter(permits int) *limiter { return &limiter{permits: make(chan struct{}, permits)} }

// execute holds a permit while the query is executed, or refuses it.
func (l *limiter) execute(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	if !l.acquire(ctx) {
		return budget.Overloaded("This server has too many operations under way. Try again in a moment.")
	}
	defer l.release()
	return next(ctx)
}

func (l *limiter) acquire(ctx context.Context) bool {
	select {
	case l.permits <- struct{}{}:
		return true
	default:
	}
	if l.inVain() {
		return false
	}
	defer l.queued.Add(-1)
	if l.queued.Add(1) > maxQueued {
		return false
	}
	timer := time.NewTimer(queueWait)
	defer timer.Stop()
	select {
	case l.permits <- struct{}{}:
		return true
	case <-ctx.Done():
	case <-timer.C:
		l.vainAt.Store(time.Now().UnixNano())
	}
	return false
}

// overloaded says whether a permit would be refused at once.
func (l *limiter) overloaded() bool { return len(l.permits) == cap(l.permits) && l.inVain() }

func (l *limiter) inVain() bool {
	return time.Now().UnixNano()-l.vainAt.Load() < int64(vainFor)
}

func (l *limiter) release() { <-l.permits }
