package responsecache

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/99designs/gqlgen/graphql"
)

// dispatch is how gqlgen runs an operation.
func dispatch(c *Cache, ctx context.Context, execute graphql.ResponseHandler) *graphql.Response {
	ctx = graphql.WithOperationContext(ctx, &graphql.OperationContext{Operation: &ast.OperationDefinition{Operation: ast.Query}})
	responses := c.InterceptOperation(ctx, func(inner context.Context) graphql.ResponseHandler {
		ctx = inner
		return func(ctx context.Context) *graphql.Response { return c.InterceptResponse(ctx, execute) }
	})
	return responses(ctx)
}

func nobody(context.Context) (token string, fresh bool) { return "", false }

func TestResponsecache_APanicIsEverybodys(t *testing.T) {
	c := New(Options{Caller: nobody})
	executing, release := make(chan struct{}), make(chan struct{})
	led, followed := make(chan any, 1), make(chan any, 1)
	begin := func(ended chan<- any, execute graphql.ResponseHandler) {
		defer func() { ended <- recover() }()
		dispatch(c, t.Context(), execute)
	}
	go begin(led, func(context.Context) *graphql.Response {
		close(executing)
		<-release
		panic("the first")
	})
	<-executing
	go begin(followed, func(context.Context) *graphql.Response { return nil })
	require.Eventually(t, func() bool { return c.calls.Callers() == 2 }, 20*time.Second, time.Millisecond)
	close(release)
	assert.Equal(t, "the first", <-led)
	assert.Equal(t, sharedPanic, <-followed)
	assert.Zero(t, c.calls.Callers())
	// The next one is executed.
	want := &graphql.Response{Data: json.RawMessage("{}")}
	assert.Same(t, want, dispatch(c, t.Context(), func(context.Context) *graphql.Response { return want }))
	assert.Zero(t, c.calls.Len())
}

func TestResponsecache_CallerWhoHasLeftGetsNothing(t *testing.T) {
	c := New(Options{Caller: nobody})
	first, cancelFirst := context.WithCancel(t.Context())
	executing, ended := make(chan struct{}), make(chan *graphql.Response)
	go func() {
		ended <- dispatch(c, first, func(ctx context.Context) *graphql.Response {
			close(executing)
			<-ctx.Done()
			return &graphql.Response{}
		})
	}()
	<-executing
	left, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Nil(t, dispatch(c, left, nil))
	assert.Equal(t, 1, c.calls.Callers())
	cancelFirst()
	<-ended
	assert.Zero(t, c.calls.Len())
}
