package responsecache

import (
	"context"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"

	"jobgraph/graph/budget"
	"jobgraph/upstream/group"
	"jobgraph/upstream/store"
)

// sharedPanic is what those panic with whose response another's panic took away: each
// transport answers and logs a panic in its own way.
const sharedPanic = "the execution of an equal operation panicked"

// call is one execution, for all who want its response.
type call = group.Call[*result]

// result is what an execution gives. The response is nil where it panicked.
type result struct {
	response *graphql.Response
	// answer is held for as long as there are callers: who has waited for it does not
	// find its room taken. nil: nothing is.
	answer   *budget.Answer
	released atomic.Bool
}

// release is for the last caller and for the execution that finds none: where both think
// that it is theirs, the last caller left while the execution ended.
func (r *result) release() {
	if r.answer != nil && !r.released.Swap(true) {
		r.answer.Release()
	}
}

// join joins the call for the key, or makes the one that others join. One with a stale
// read set goes on without newcomers.
//
// Lock order: the group's mutex, then a read set's, then the store's.
func (c *Cache) join(ctx context.Context, key key) (joined *call, leads bool) {
	ctx = store.WithReadSet(ctx, new(store.ReadSet))
	return c.calls.Join(ctx, key, func(other *call) bool {
		return store.ReadSetFrom(other.Context()).Joinable()
	})
}

// lead executes. The caller's leaving ends the execution only if nobody else waits.
func (c *Cache) lead(ctx context.Context, key key, own *call, next graphql.ResponseHandler) (response *graphql.Response) {
	stop := context.AfterFunc(ctx, func() { c.release(key, own) })
	defer func() {
		c.complete(key, own, response, budget.HoldFrom(ctx).Answer())
		if stop() {
			c.release(key, own)
		}
	}()
	return next(own.Context())
}

// follow waits. It gives nil to a caller that has left.
func (c *Cache) follow(ctx context.Context, key key, joined *call) *graphql.Response {
	defer c.release(key, joined)
	select {
	case <-joined.Done():
	case <-ctx.Done():
		return nil
	}
	shared := joined.Value()
	if shared.response == nil {
		panic(sharedPanic)
	}
	c.opts.Observe(InFlight)
	return c.serve(ctx, shared.response, shared.answer)
}

// complete hands the response to all who wait. It is stored before the call is removed:
// who comes now finds the one or the other.
func (c *Cache) complete(key key, own *call, response *graphql.Response, answer *budget.Answer) {
	c.store(key, response, answer, store.ReadSetFrom(own.Context()))
	if answer != nil && answer.Acquire() != nil {
		answer = nil
	}
	value := &result{response: response, answer: answer}
	if waited := c.calls.Complete(key, own, value); !waited {
		value.release()
	}
}

// release is one caller's going, which each does once.
func (c *Cache) release(key key, left *call) {
	if !c.calls.Release(key, left) {
		return
	}
	select {
	case <-left.Done():
		left.Value().release()
	default: // complete finds nobody waiting
	}
}
