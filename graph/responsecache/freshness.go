package responsecache

import (
	"context"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"jobgraph/upstream/store"
)

// Freshness is what the caller's own cache is told of a response. The zero value: it must
// not be stored.
type Freshness struct {
	// Lifetime is how much longer the store would serve each job of the response as it was.
	Lifetime time.Duration
	// ETag is a weak validator of the response to a GET, "" for other methods: equal for
	// equal data of one caller. It means nothing to another process.
	ETag string
}

// readsKey is where an operation has the read set of its response, in the operation's stats.
const readsKey = "responsecache.reads"

// note has Freshness know what the operation's response is made of.
func note(operation *graphql.OperationContext, reads *store.ReadSet) {
	operation.Stats.SetExtension(readsKey, reads)
}

// Freshness is that of the operation's response. What has an error or extensions has none,
// nor has what is made of no job, or of one that the store does not serve.
func (c *Cache) Freshness(ctx context.Context, method string, operation *graphql.OperationContext, response *graphql.Response) (f Freshness) {
	if response == nil || len(response.Errors) > 0 {
		return Freshness{}
	}
	if len(response.Extensions) > 0 { // they say what was done for this very request
		return Freshness{}
	}
	reads, _ := operation.Stats.GetExtension(readsKey).(*store.ReadSet)
	if f.Lifetime = reads.Remaining(); f.Lifetime > 0 && method == http.MethodGet {
		token, _ := c.opts.Caller(ctx)
		f.ETag = c.etag(token, response)
	}
	return f
}

// freshness is that of a cached response, whose ETag is made once.
func (r *cachedResponse) freshness(method string, lifetime time.Duration, etag func() string) Freshness {
	if method != http.MethodGet {
		return Freshness{Lifetime: lifetime}
	}
	r.etagOnce.Do(func() { r.etag = etag() })
	return Freshness{lifetime, r.etag}
}

// etag is weak, as the data is the same in either media type. It is made of the token too:
// an answer that a cache has mixed up is never confirmed to another caller.
func (c *Cache) etag(token string, response *graphql.Response) string {
	sum := c.hash.SumWith(response.Data, "etag", token)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}
