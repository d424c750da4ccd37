package answers

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
func dispatch(a *Answers, ctx context.Context, execute graphql.ResponseHandler) *graphql.Response {
	ctx = graphql.WithOperationContext(ctx, &graphql.OperationContext{Operation: &ast.OperationDefinition{Operation: ast.Query}})
	responses := a.InterceptOperation(ctx, func(inner context.Context) graphql.ResponseHandler {
		ctx = inner
		return func(ctx context.Context) *graphql.Response { return a.InterceptResponse(ctx, execute) }
	})
	return responses(ctx)
}

func nobody(context.Context) string { return "" }

func TestAPanicIsEverybodys(t *testing.T) {
	a := New(Options{Token: nobody})
	executing, release := make(chan struct{}), make(chan struct{})
	led, followed := make(chan any, 1), make(chan any, 1)
	begin := func(ended chan<- any, execute graphql.ResponseHandler) {
		defer func() { ended <- recover() }()
		dispatch(a, t.Context(), execute)
	}
	go begin(led, func(context.Context) *graphql.Response {
		close(executing)
		<-release
		panic("the first")
	})
	<-executing
	go begin(followed, func(context.Context) *graphql.Response { return nil })
	require.Eventually(t, func() bool { return a.callers() == 2 }, 20*time.Second, time.Millisecond)
	close(release)
	assert.Equal(t, "the first", <-led)
	assert.Equal(t, sharedPanic, <-followed)
	assert.Zero(t, a.callers())
	// The next one is executed.
	want := &graphql.Response{Data: json.RawMessage("{}")}
	assert.Same(t, want, dispatch(a, t.Context(), func(context.Context) *graphql.Response { return want }))
	assert.Empty(t, a.running)
}

func TestWhoHasLeftIsGivenNothing(t *testing.T) {
	a := New(Options{Token: nobody})
	first, leave := context.WithCancel(t.Context())
	executing, ended := make(chan struct{}), make(chan *graphql.Response)
	go func() {
		ended <- dispatch(a, first, func(ctx context.Context) *graphql.Response {
			close(executing)
			<-ctx.Done()
			return &graphql.Response{}
		})
	}()
	<-executing
	left, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Nil(t, dispatch(a, left, nil))
	assert.Equal(t, 1, a.callers())
	leave()
	<-ended
	assert.Empty(t, a.running)
}

// callers is how many wait for executions, those who lead them included.
func (a *Answers) callers() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range a.running {
		n += x.callers
	}
	return n
}
