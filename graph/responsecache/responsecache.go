// Package responsecache serves a response to all who ask for it: equal operations of one
// caller at the same time are executed once, and a response is served again for as long as
// its read set is valid, which is while the store would serve each job in it as it was.
package responsecache

import (
	"context"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/maypok86/otter/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"jobgraph/graph/boundedcache"
	"jobgraph/graph/budget"
	"jobgraph/upstream/group"
	"jobgraph/upstream/keyedhash"
	"jobgraph/upstream/store"
)

// How a response came to be served without an execution of its own.
const (
	InFlight = "in_flight"
	Cached   = "kept" // the metric's label has this name
)

// maxBytes bounds the memory of the responses that are cached, roughly.
const maxBytes = 8 << 20

// Options are what the Cache needs to know.
type Options struct {
	// Caller gives the caller's token, and whether it wants fresh data; needed.
	Caller func(ctx context.Context) (token string, fresh bool)
	// Store has responses served again whose jobs are all in the store; without it only
	// executions under way are shared.
	Store bool
	// Budget gives the response in place of a shared one that has no room any more;
	// needed where requests have a [budget.Hold].
	Budget *budget.Budget
	// Generation is that of the trusted documents; nil: there are none.
	Generation func() uint64
	// Observe is told of each response that was served without an execution: how is
	// [InFlight] or [Cached]; nil: nobody is told.
	Observe func(how string)
}

// Cache is a gqlgen extension. Use it before those that change responses: what they made
// of a response is what is served to all, and nobody writes to it any more. Subscriptions,
// and operations that ask for fresh data, pass by.
type Cache struct {
	opts    Options
	hash    *keyedhash.Hasher
	entries *otter.Cache[key, *cachedResponse] // nil: none is cached
	// requests are the keys of cached responses by the bytes that asked for them.
	requests   *otter.Cache[key, remembered]
	doorkeeper doorkeeper
	calls      group.Group[key, *result]
}

// key is made of all that a response depends on, the token first: it tells nothing, and
// callers with different tokens never meet.
type key = keyedhash.Sum

// cachedResponse is a response, and what it was made of.
type cachedResponse struct {
	response *graphql.Response
	answer   *budget.Answer // counts while the response is being sent; nil: never
	reads    *store.ReadSet

	etagOnce sync.Once
	etag     string // "" until a GET asks for it
}

var (
	_ graphql.HandlerExtension     = (*Cache)(nil)
	_ graphql.OperationInterceptor = (*Cache)(nil)
	_ graphql.ResponseInterceptor  = (*Cache)(nil)
)

// New returns an empty Cache. It has no goroutine of its own.
func New(opts Options) *Cache {
	if opts.Observe == nil {
		opts.Observe = func(string) {}
	}
	if opts.Generation == nil {
		opts.Generation = func() uint64 { return 0 }
	}
	c := &Cache{opts: opts, hash: keyedhash.New()}
	if opts.Store {
		c.requests = boundedcache.New(maxRequestBytes, func(key, remembered) uint32 { return requestBytes })
		c.entries = boundedcache.New(maxBytes, func(_ key, r *cachedResponse) uint32 {
			return uint32(512 + cap(r.response.Data) + r.reads.Bytes())
		})
	}
	return c
}

// ExtensionName is gqlgen's.
func (c *Cache) ExtensionName() string { return "ResponseCache" }

// Validate is gqlgen's; there is nothing to check.
func (c *Cache) Validate(graphql.ExecutableSchema) error { return nil }

// claimKey is where an operation that may share has its claim, in the operation's stats.
const claimKey = "responsecache.claim"

// InterceptOperation gives an operation that may share a claim, which is used once: gqlgen
// asks [Cache.InterceptResponse] for what was refused or has panicked as well.
func (c *Cache) InterceptOperation(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	operation := graphql.GetOperationContext(ctx)
	if operation.Operation.Operation != ast.Query {
		return next(ctx)
	}
	if _, fresh := c.opts.Caller(ctx); fresh {
		reads := new(store.ReadSet)
		note(operation, reads)
		return next(store.WithReadSet(ctx, reads))
	}
	operation.Stats.SetExtension(claimKey, true)
	return next(ctx)
}

// InterceptResponse serves a response that is cached or under way, or has it made.
func (c *Cache) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	if !claim(ctx) {
		return next(ctx)
	}
	operation := graphql.GetOperationContext(ctx)
	variables, err := encodeVariables(operation.Variables)
	if err != nil {
		return next(ctx)
	}
	token, _ := c.opts.Caller(ctx)
	key := c.hash.Sum(token, operation.RawQuery, operation.OperationName, variables)
	operation.Stats.SetExtension(responseKey, key)
	if cached, _ := c.lookup(key); cached != nil {
		c.opts.Observe(Cached)
		note(operation, cached.reads)
		return c.serve(ctx, cached.response, cached.answer)
	}
	call, leads := c.join(ctx, key)
	note(operation, store.ReadSetFrom(call.Context()))
	if !leads {
		return c.follow(ctx, key, call)
	}
	return c.lead(ctx, key, call, next)
}

func claim(ctx context.Context) bool {
	if !graphql.HasOperationContext(ctx) {
		return false
	}
	stats := &graphql.GetOperationContext(ctx).Stats
	claimed, _ := stats.GetExtension(claimKey).(bool)
	if claimed {
		stats.SetExtension(claimKey, false)
	}
	return claimed
}

// lookup is the cached response and for how long it will be valid; nil where there is none
// that is.
func (c *Cache) lookup(key key) (*cachedResponse, time.Duration) {
	if c.entries == nil {
		return nil, 0
	}
	cached, ok := c.entries.GetIfPresent(key)
	if !ok {
		return nil, 0
	}
	remaining := cached.reads.Remaining()
	if remaining == 0 {
		c.entries.Invalidate(key)
		return nil, 0
	}
	return cached, remaining
}

// serve has the request hold the answer that it is given.
func (c *Cache) serve(ctx context.Context, response *graphql.Response, answer *budget.Answer) *graphql.Response {
	if err := budget.HoldFrom(ctx).Take(answer); err != nil {
		return c.opts.Budget.Refused(err)
	}
	return response
}

// store is for responses that are whole and made of what the store serves. An operation
// that asked for no job has none that could change: it is not worth the room, nor is one
// that was asked for only once.
func (c *Cache) store(key key, response *graphql.Response, answer *budget.Answer, reads *store.ReadSet) {
	if c.entries != nil && c.doorkeeper.again(key) && response != nil && len(response.Errors) == 0 && reads.Valid() {
		c.entries.Set(key, &cachedResponse{response: response, answer: answer, reads: reads})
	}
}
