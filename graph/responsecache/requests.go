package responsecache

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
)

// requestBytes is about what the key of a request takes, and maxRequestBytes the bound of all.
const (
	requestBytes    = 192
	maxRequestBytes = 4 << 20
)

// responseKey is where an operation that may share has its key, in the operation's stats.
const responseKey = "responsecache.key"

// Lookup gives the response to a request of the same method and bytes by the same caller,
// where it is cached and valid: the request need not be decoded. nil: there is none.
func (c *Cache) Lookup(ctx context.Context, method string, request []byte) (*graphql.Response, Freshness) {
	token, fresh := c.opts.Caller(ctx)
	if c.requests == nil || fresh {
		return nil, Freshness{}
	}
	key, ok := c.requests.GetIfPresent(c.requestKey(token, method, request))
	if !ok {
		return nil, Freshness{}
	}
	cached, remaining := c.lookup(key)
	if cached == nil {
		return nil, Freshness{}
	}
	c.opts.Observe(Cached)
	response := c.serve(ctx, cached.response, cached.answer)
	if response != cached.response { // there was no room for it
		return response, Freshness{}
	}
	return response, cached.freshness(method, remaining, func() string { return c.etag(token, response) })
}

// Remember has Lookup find what is cached for the operation by the request's bytes. They
// must be all that the operation was made of, the caller aside.
func (c *Cache) Remember(ctx context.Context, method string, request []byte, operation *graphql.OperationContext) {
	key, ok := operation.Stats.GetExtension(responseKey).(key)
	if !ok || c.requests == nil {
		return
	}
	if _, cached := c.entries.GetIfPresent(key); cached {
		token, _ := c.opts.Caller(ctx)
		c.requests.Set(c.requestKey(token, method, request), key)
	}
}

func (c *Cache) requestKey(token, method string, request []byte) key {
	return c.hash.Sum(token, method, string(request))
}
