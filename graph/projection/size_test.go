package projection_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"jobgraph/graph/generated"
	"jobgraph/graph/projection"
	"jobgraph/upstream"
)

const everything = `{ jobById(id: "aa") { __typename again: __typename
	... on Job { id name mediaLengthSeconds status dueDate returnTargets { __typename kind callbackUrl settings } options { name value } }
	... on ApiError { type comment jobId upstreamType retryable retryAfterSeconds } } }`

// selectionOf is what the query's one field selects.
func selectionOf(t *testing.T, query string) (*graphql.OperationContext, ast.SelectionSet) {
	t.Helper()
	document, errs := gqlparser.LoadQueryWithRules(generated.NewExecutableSchema(generated.Config{}).Schema(), query, rules.NewDefaultRules())
	require.Empty(t, errs)
	return &graphql.OperationContext{Doc: document}, document.Operations[0].SelectionSet[0].(*ast.Field).SelectionSet
}

// Room for an answer is made, and counted, by its size: it must be neither less nor more.
func TestSize_IsWhatIsWritten(t *testing.T) {
	full := upstream.Job{
		ID: "aa", Name: new("a \"name\" \x00\xff é"), MediaLengthSeconds: new(-1.2345678901234567e-300), DueDate: new(time.Unix(1e9, 1)),
		ReturnTargets: []upstream.ReturnTarget{{Kind: "url", CallbackURL: new("x")}, {}, {Settings: []byte(`[ 1 ]`)}},
		Options:       []upstream.JobOption{{Name: "o"}},
	}.Encode()
	operation, set := selectionOf(t, everything)
	nothing, nothingSet := selectionOf(t, `{ jobById(id: "aa") { ... on ApiError { type } } }`)
	for _, item := range []projection.Item{
		{},
		projection.ItemOf(nothing, nothingSet, false, full.Record),
		projection.ItemOf(operation, set, false, full.Record),
		projection.ItemOf(operation, set, false, upstream.Job{}.Encode().Record),
		projection.ItemOf(operation, set, true, (&upstream.Error{}).Encode()),
		projection.ItemOf(operation, set, true, (&upstream.Error{Type: upstream.RateLimited, Comment: "\"", UpstreamType: new("x"), RetryAfter: time.Hour}).Encode()),
	} {
		assert.Len(t, item.Append(nil), item.Size())
	}
}

func TestSize_WritingAJobAllocatesNothing(t *testing.T) {
	operation, set := selectionOf(t, everything)
	item := projection.ItemOf(operation, set, false, upstream.Job{ReturnTargets: make([]upstream.ReturnTarget, 3)}.Encode().Record)
	to := make([]byte, 0, item.Size())
	assert.Zero(t, testing.AllocsPerRun(100, func() { to = item.Append(to[:0]) }))
}

func TestSize_OfAPageIsWhatIsWritten(t *testing.T) {
	job := upstream.Job{ID: "aa", Name: new("é")}.Encode()
	page := &projection.Connection{
		Edges: []projection.Edge{{Node: job, Cursor: "c1", Username: new("a \"b\"")}, {Node: job, Cursor: "c2"}},
		Nodes: []*upstream.EncodedJob{job, job}, PageInfo: projection.PageInfo{HasNextPage: true, StartCursor: new("c1"), EndCursor: new("c2")},
	}
	for _, test := range []struct {
		page        *projection.Connection
		query, want string
	}{
		{page, `{ jobs { __typename pageInfo { hasNextPage hasPreviousPage startCursor e: endCursor } } }`,
			`{"__typename": "JobConnection", "pageInfo": {"hasNextPage": true, "hasPreviousPage": false, "startCursor": "c1", "e": "c2"}}`},
		{page, `{ jobs { edges { cursor ...u node { id } node { name } } ...n } }
			fragment u on JobEdge { username } fragment n on JobConnection { nodes { __typename } edges { __typename } }`,
			`{"edges": [{"cursor": "c1", "username": "a \"b\"", "node": {"id": "aa", "name": "é"}, "__typename": "JobEdge"},
				{"cursor": "c2", "username": null, "node": {"id": "aa", "name": "é"}, "__typename": "JobEdge"}],
				"nodes": [{"__typename": "Job"}, {"__typename": "Job"}]}`},
		{&projection.Connection{}, `{ jobs { nodes { id } edges { cursor } pageInfo { endCursor } } }`,
			`{"nodes": [], "edges": [], "pageInfo": {"endCursor": null}}`},
	} {
		operation, set := selectionOf(t, test.query)
		size, written := projection.PageSize(operation, set, test.page)
		assert.Len(t, written, size)
		assert.JSONEq(t, test.want, written)
		assert.True(t, json.Valid([]byte(written)))
	}
}
