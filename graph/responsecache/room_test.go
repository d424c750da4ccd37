package responsecache

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"

	"jobgraph/upstream"
	"jobgraph/upstream/store"
)

type oneJob struct{}

func (oneJob) Job(context.Context, upstream.Request) (*upstream.EncodedJob, error) {
	return (&upstream.Job{ID: "aa", Status: upstream.StatusPending}).Encode(), nil
}

// filled is a cache and what has a query answered with the data, from one job.
func filled(t *testing.T, data string) (c *Cache, ask func(query string) *graphql.OperationContext) {
	jobs := store.New(oneJob{}, store.Options{ActiveTTL: time.Hour, SettledTTL: time.Hour})
	t.Cleanup(jobs.Close)
	c = New(Options{Caller: nobody, Store: true})
	execute := func(ctx context.Context) *graphql.Response {
		_, err := jobs.Job(ctx, upstream.NewRequest("aa", "aa"))
		require.NoError(t, err)
		return &graphql.Response{Data: json.RawMessage(strings.Clone(data))}
	}
	return c, func(query string) *graphql.OperationContext {
		operation := &graphql.OperationContext{RawQuery: query, Operation: &ast.OperationDefinition{Operation: ast.Query}}
		ctx := graphql.WithOperationContext(t.Context(), operation)
		c.InterceptOperation(ctx, func(context.Context) graphql.ResponseHandler { return nil })
		require.NotNil(t, c.InterceptResponse(ctx, execute))
		return operation
	}
}

// Responses that are large leave room for few.
func TestResponsecache_ResponsesAreBoundedByTheirBytes(t *testing.T) {
	const size, asked = 256 << 10, 200
	given := 0
	c, ask := filled(t, `"`+strings.Repeat("x", size)+`"`)
	c.opts.Observe = func(string) { given++ }
	for range 3 {
		ask("0")
	}
	require.Equal(t, 1, given, "it is cached")
	for i := range 2 * asked {
		ask(fmt.Sprint(i % asked))
	}
	given = 0
	for i := range asked {
		ask(fmt.Sprint(i))
	}
	assert.LessOrEqual(t, given, maxBytes/size)
}

func TestResponsecache_RequestsAreBounded(t *testing.T) {
	const requests = 30_000
	c, ask := filled(t, `1`)
	ask("a")
	operation := ask("a")
	request := func(i int) Request { return Request{Method: "POST", Bytes: fmt.Appendf(nil, "%d", i)} }
	for i := range requests {
		c.Remember(t.Context(), request(i), operation)
	}
	found := 0
	for i := range requests {
		if c.Lookup(t.Context(), request(i)).Response != nil {
			found++
		}
	}
	assert.Positive(t, found)
	assert.LessOrEqual(t, found, maxRequestBytes/requestBytes)
}
