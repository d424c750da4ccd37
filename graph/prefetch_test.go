package graph

import (
	"context"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/assert"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"jobgraph/graph/generated"
	"jobgraph/upstream"
)

// asked is a source that says what it is asked for.
type asked chan string

func (a asked) Job(_ context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	a <- r.Key.ID
	return upstream.Job{ID: r.Key.ID, Status: upstream.StatusPending}.Encode(), nil
}

// What the fields of a query load is on its way before the first of them is resolved. Ids
// that are numbers are left to their field.
func TestPrefetch_IDsAreLoadedBeforeFieldsAreResolved(t *testing.T) {
	schema := generated.NewExecutableSchema(generated.Config{}).Schema()
	document, failures := gqlparser.LoadQueryWithRules(schema, `query ($a: [ID!]!, $b: ID!, $never: Boolean!) {
		a: job(ids: $a) { ...id } b: jobById(id: $b) { ...id } c: job(ids: ["c1", "a1", 5]) { ...id }
		never: job(ids: ["d1"]) @include(if: $never) { ...id } __typename
	} fragment id on Job { id }`, rules.NewDefaultRules())
	assert.Empty(t, failures)
	source := make(asked, 10)
	ctx := graphql.WithOperationContext(t.Context(), &graphql.OperationContext{Doc: document, Operation: document.Operations[0],
		Variables: map[string]any{"a": []any{"a1", "a2"}, "b": "b1", "never": false}})
	ctx = withLoader(ctx, newLoader(source, noLists{}, caller{token: "aa"}, nil))
	var ids []string
	prefetch(ctx, func(context.Context) *graphql.Response {
		for range 4 {
			ids = append(ids, <-source)
		}
		return nil
	})
	assert.ElementsMatch(t, []string{"a1", "a2", "b1", "c1"}, ids)
	assert.Empty(t, source)
}

func TestPrefetch_WhatIsNotExecutedLoadsNothing(t *testing.T) {
	called := false
	prefetch(t.Context(), func(context.Context) *graphql.Response { called = true; return nil })
	assert.True(t, called)
}
