// Package answers gives an answer to all who ask for it: equal operations of one caller
// at the same time are executed once, and an answer is given again for as long as each
// job in it would be told from the cache as it was.
package answers

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/maypok86/otter/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"jobgraph/graph/budget"
	"jobgraph/upstream"
	"jobgraph/upstream/cache"
	"jobgraph/upstream/keyedhash"
)

// How an answer came to be given without an execution of its own.
const (
	InFlight = "in_flight"
	Kept     = "kept"
)

// maxKeptBytes bounds the memory of the answers that are kept, roughly.
const maxKeptBytes = 8 << 20

// Options are what Answers needs to know.
type Options struct {
	// Token gives the caller's token; needed.
	Token func(ctx context.Context) string
	// Keep has answers given again whose jobs are all in the cache.
	Keep bool
	// Budget gives the response in place of a shared answer that has no room any more;
	// needed where requests have a [budget.Hold].
	Budget *budget.Budget
	// Observe is told of each answer that was given without an execution: how is
	// [InFlight] or [Kept]; nil: nobody is told.
	Observe func(how string)
}

// Answers is a gqlgen extension. Use it before those that change responses: what they
// made of a response is what is given to all, and nobody writes to it any more.
// Subscriptions, and operations that ask for fresh data, pass by.
type Answers struct {
	opts Options
	hash *keyedhash.Hasher
	kept *otter.Cache[key, *kept] // nil: none is

	mu      sync.Mutex
	running map[key]*execution
}

// key is made of all that an answer depends on, the token first: it tells nothing, and
// callers with different tokens never meet.
type key = keyedhash.Sum

// kept is an answer, and what it was made of.
type kept struct {
	response *graphql.Response
	answer   *budget.Answer // counts while the response is being sent; nil: never
	used     *cache.Used
}

var (
	_ graphql.HandlerExtension     = (*Answers)(nil)
	_ graphql.OperationInterceptor = (*Answers)(nil)
	_ graphql.ResponseInterceptor  = (*Answers)(nil)
)

// New returns Answers that keeps none yet. It has no goroutine of its own.
func New(opts Options) *Answers {
	a := &Answers{opts: opts, hash: keyedhash.New(), running: map[key]*execution{}}
	if opts.Observe == nil {
		a.opts.Observe = func(string) {}
	}
	if opts.Keep {
		a.kept = otter.Must(&otter.Options[key, *kept]{
			MaximumWeight: maxKeptBytes,
			Executor:      func(work func()) { work() }, // no goroutine of its own
			Weigher: func(_ key, k *kept) uint32 {
				return uint32(512 + cap(k.response.Data) + k.used.Bytes())
			},
		})
	}
	return a
}

// ExtensionName is gqlgen's.
func (a *Answers) ExtensionName() string { return "Answers" }

// Validate is gqlgen's; there is nothing to check.
func (a *Answers) Validate(graphql.ExecutableSchema) error { return nil }

type executionKey struct{}

// InterceptOperation marks an operation that may share. The mark is used once: gqlgen
// asks [Answers.InterceptResponse] for what was refused or has panicked as well.
func (a *Answers) InterceptOperation(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	if graphql.GetOperationContext(ctx).Operation.Operation != ast.Query || upstream.IsFresh(ctx) {
		return next(ctx)
	}
	return next(context.WithValue(ctx, executionKey{}, &execution{}))
}

// InterceptResponse gives an answer that is kept or under way, or has it made.
func (a *Answers) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	own, ok := ctx.Value(executionKey{}).(*execution)
	if !ok || !own.mark() {
		return next(ctx)
	}
	operation := graphql.GetOperationContext(ctx)
	variables, err := encodeVariables(operation.Variables)
	if err != nil {
		return next(ctx)
	}
	key := a.hash.Sum(a.opts.Token(ctx), operation.RawQuery, operation.OperationName, variables)
	if k := a.given(key); k != nil {
		a.opts.Observe(Kept)
		return a.hand(ctx, k.response, k.answer)
	}
	if shared := a.join(ctx, key, own); shared != own {
		return a.follow(ctx, key, shared)
	}
	return a.lead(ctx, key, own, next)
}

// given is the kept answer, nil where there is none any more.
func (a *Answers) given(key key) *kept {
	if a.kept == nil {
		return nil
	}
	k, ok := a.kept.GetIfPresent(key)
	if !ok {
		return nil
	}
	if !k.used.Current() {
		a.kept.Invalidate(key)
		return nil
	}
	return k
}

// hand has the request hold the answer that it is given.
func (a *Answers) hand(ctx context.Context, response *graphql.Response, answer *budget.Answer) *graphql.Response {
	if err := budget.HoldFrom(ctx).Take(answer); err != nil {
		return a.opts.Budget.Refused(err)
	}
	return response
}

// keep is for answers that are whole and made of what the cache keeps. An operation
// that asked for no job has none that could change: it is not worth the room.
func (a *Answers) keep(key key, response *graphql.Response, answer *budget.Answer, used *cache.Used) {
	if a.kept != nil && response != nil && len(response.Errors) == 0 && used.Current() {
		a.kept.Set(key, &kept{response, answer, used})
	}
}
