package answers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"jobgraph/graph/budget"
	"jobgraph/graph/transport"
	"jobgraph/upstream/cache"
)

// sharedPanic is what those panic with whose answer another's panic took away: each
// transport answers and logs a panic in its own way.
const sharedPanic = "the execution of an equal operation panicked"

// execution is one that is under way, for all who want its answer.
type execution struct {
	marked  bool
	callers int // guarded by Answers.mu
	ctx     context.Context
	cancel  context.CancelFunc
	used    *cache.Used
	done    chan struct{} // closed when response is set
	// response is nil where the execution panicked.
	response *graphql.Response
	// answer is held for as long as there are callers: who has waited for it does not
	// find its room taken.
	answer *budget.Answer
}

// mark is true once.
func (x *execution) mark() bool {
	first := !x.marked
	x.marked = true
	return first
}

// join gives the execution to wait for, or makes own the one that others wait for. An
// execution that has been told what would not be told now goes on without newcomers.
func (a *Answers) join(ctx context.Context, key key, own *execution) *execution {
	a.mu.Lock()
	defer a.mu.Unlock()
	if shared := a.running[key]; shared != nil && shared.used.Joinable() {
		shared.callers++
		return shared
	}
	// The execution has its caller's values, but belongs to all who wait for it.
	own.ctx, own.cancel = context.WithCancel(context.WithoutCancel(ctx))
	own.callers, own.used, own.done = 1, new(cache.Used), make(chan struct{})
	a.running[key] = own
	return own
}

// lead executes. The caller's leaving ends the execution only if nobody else waits.
func (a *Answers) lead(ctx context.Context, key key, own *execution, next graphql.ResponseHandler) (response *graphql.Response) {
	stop := context.AfterFunc(ctx, func() { a.leave(key, own) })
	defer func() {
		a.land(key, own, response, budget.HoldFrom(ctx).Answer())
		if stop() {
			a.leave(key, own)
		}
	}()
	return next(cache.WithUsed(own.ctx, own.used))
}

// follow waits. It gives nil to a caller that has left.
func (a *Answers) follow(ctx context.Context, key key, shared *execution) *graphql.Response {
	defer a.leave(key, shared)
	transport.GiveUpPlace(ctx)
	select {
	case <-shared.done:
	case <-ctx.Done():
		return nil
	}
	if shared.response == nil {
		panic(sharedPanic)
	}
	a.opts.Observe(InFlight)
	return a.hand(ctx, shared.response, shared.answer)
}

// land hands the answer to all who wait. It is kept before the execution is forgotten:
// who comes now finds the one or the other.
func (a *Answers) land(key key, landed *execution, response *graphql.Response, answer *budget.Answer) {
	landed.cancel()
	a.keep(key, response, answer, landed.used)
	landed.response = response
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running[key] == landed {
		delete(a.running, key)
	}
	if answer != nil && landed.callers > 0 && answer.Acquire() == nil {
		landed.answer = answer
	}
	close(landed.done)
}

// leave is one caller's going, which each does once; the last one ends the execution,
// and nobody joins what is about to fail.
func (a *Answers) leave(key key, left *execution) {
	a.mu.Lock()
	defer a.mu.Unlock()
	left.callers--
	if left.callers > 0 {
		return
	}
	if a.running[key] == left {
		delete(a.running, key)
	}
	left.cancel()
	if left.answer != nil {
		left.answer.Release()
	}
}
