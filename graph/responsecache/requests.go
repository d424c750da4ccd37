package responsecache

import (
	"context"
	"strconv"

	"github.com/99designs/gqlgen/graphql"

	"jobgraph/graph/admission/persisted"
)

// requestBytes is about what the key of a request takes, and maxRequestBytes the bound of all.
const (
	requestBytes    = 192
	maxRequestBytes = 4 << 20
)

// responseKey is where an operation that may share has its key, in the operation's stats.
const responseKey = "responsecache.key"

// Request is all that an operation was made of, the caller aside.
type Request struct {
	Method string
	// Document is the one that the address names; "": none.
	Document string
	Bytes    []byte
}

// Found is a response that is cached. The zero value: there is none.
type Found struct {
	Response  *graphql.Response
	Freshness Freshness
	// Name is the trusted document's, for metrics.
	Name string
}

// remembered is where the response to a request is.
type remembered struct {
	key  key
	name string
}

// Lookup finds the response to an equal request by the same caller, where it is cached and
// valid: the request need not be decoded.
func (c *Cache) Lookup(ctx context.Context, request Request) Found {
	token, fresh := c.opts.Caller(ctx)
	if c.requests == nil || fresh {
		return Found{}
	}
	known, ok := c.requests.GetIfPresent(c.requestKey(token, request, c.opts.Generation()))
	if !ok {
		return Found{}
	}
	cached, remaining := c.lookup(known.key)
	if cached == nil {
		return Found{}
	}
	c.opts.Observe(Cached)
	response := c.serve(ctx, cached.response, cached.answer)
	if response != cached.response { // there was no room for it
		return Found{Response: response, Name: known.name}
	}
	return Found{response, cached.freshness(request.Method, remaining, func() string { return c.etag(token, response) }), known.name}
}

// Remember has Lookup find what is cached for the operation by its request.
func (c *Cache) Remember(ctx context.Context, request Request, operation *graphql.OperationContext) {
	key, ok := operation.Stats.GetExtension(responseKey).(key)
	if !ok || c.requests == nil {
		return
	}
	if _, cached := c.entries.GetIfPresent(key); cached {
		token, _ := c.opts.Caller(ctx)
		trust := persisted.TrustOf(operation)
		c.requests.Set(c.requestKey(token, request, trust.Generation), remembered{key, trust.Name})
	}
}

// requestKey has the generation of the trusted documents: after they have changed, an id may
// mean another text.
func (c *Cache) requestKey(token string, request Request, generation uint64) key {
	return c.hash.SumWith(request.Bytes, token, request.Method, request.Document, strconv.FormatUint(generation, 36))
}
