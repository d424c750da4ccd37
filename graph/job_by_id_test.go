package graph_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"jobgraph/graph"
	"jobgraph/graph/admission"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/upstream/sandbox"
)

func TestJobByID(t *testing.T) {
	const query = `query ($id: ID!) { jobById(id: $id) { __typename ... on Job { id name } ... on ApiError { type jobId } } }`
	for _, test := range []struct{ name, id, want string }{
		{"a job", sandbox.DocumentedJobID,
			`{"jobById": {"__typename": "Job", "id": "d4fb871e07514304b23131b45f8caa1f", "name": "example_job"}}`},
		{"a missing job", missingID,
			`{"jobById": {"__typename": "ApiError", "type": "ITEM_NOT_FOUND", "jobId": "00000000000000000000000000000000"}}`},
		{"not hexadecimal", "nope",
			`{"jobById": {"__typename": "ApiError", "type": "INVALID_QUERY", "jobId": "nope"}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStack(t, nil, withSandboxToken)
			assert.JSONEq(t, test.want, s.data(t, query, map[string]any{"id": test.id}))
		})
	}
}

func TestJobByID_WithoutAToken(t *testing.T) {
	s := newStack(t, nil, graph.Options{})
	assert.JSONEq(t, `{"jobById": {"type": "BAD_API_TOKEN"}}`,
		s.data(t, `{ jobById(id: "ab") { ... on ApiError { type } } }`, nil))
	assert.Empty(t, s.asked)
}

func TestJobByID_SharesTheOperationsCalls(t *testing.T) {
	s := newStack(t, nil, withSandboxToken)
	s.data(t, `query ($ids: [ID!]!, $id: ID!) {
		job(ids: $ids) { __typename } one: jobById(id: $id) { __typename } again: jobById(id: $id) { __typename } }`,
		map[string]any{"ids": []string{sandbox.DocumentedJobID}, "id": sandbox.DocumentedJobID})
	assert.Len(t, s.asked, 1)
}

func TestJobByID_CostsOneID(t *testing.T) {
	limits := admission.DefaultLimits()
	limits.UpstreamCalls = 1
	s := newStack(t, nil, graph.Options{DefaultToken: sandbox.Token, Limits: limits})
	s.data(t, `{ jobById(id: "ab") { __typename } }`, nil)
	got := gqltest.Query(t, s.URL, `{ one: jobById(id: "ab") { __typename } two: jobById(id: "cd") { __typename } }`, nil)
	assert.Equal(t, "COMPLEXITY_LIMIT_EXCEEDED", got.Code())
}
