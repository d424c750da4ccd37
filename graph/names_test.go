package graph_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/upstream/sandbox"
)

var caption = graph.Options{DefaultToken: sandbox.Token, Prefix: graph.Prefix{Types: "Caption"}}

// typeNames are the names of types that introspection shows, those of GraphQL itself aside.
func typeNames(t *testing.T, s *stack) (names []string) {
	t.Helper()
	var got struct {
		Schema struct{ Types []struct{ Name string } } `json:"__schema"`
	}
	require.NoError(t, json.Unmarshal([]byte(s.data(t, `{ __schema { types { name } } }`, nil)), &got))
	for _, known := range got.Schema.Types {
		if !strings.HasPrefix(known.Name, "_") {
			names = append(names, known.Name)
		}
	}
	slices.Sort(names)
	return names
}

func TestPrefix_IsBeforeEachTypesName(t *testing.T) {
	own := typeNames(t, newStack(t, nil, withSandboxToken))
	kept := []string{"Job", "PageInfo", "Query", "Subscription", "DateTime", "JSON", "ID", "String", "Int", "Float", "Boolean",
		"FieldSet", "federation__Policy", "federation__Scope"}
	var want []string
	for _, name := range own {
		if !slices.Contains(kept, name) {
			name = "Caption" + name
		}
		want = append(want, name)
	}
	slices.Sort(want)
	assert.Equal(t, want, typeNames(t, newStack(t, nil, caption)))
	assert.Contains(t, want, "CaptionApiError")
	assert.Contains(t, want, "CaptionJobFilter")
}

func TestPrefix_DocumentsAndAnswersHaveIt(t *testing.T) {
	s := newStack(t, nil, caption)
	query := `query ($ids: [ID!]!) { job(ids: $ids) { __typename ...j ... on CaptionApiError { type __typename } ...r } }
		fragment j on Job { status returnTargets { __typename kind } options { __typename } }
		fragment r on CaptionJobResult { ... on Job { priority ... on Job { n: name } } }`
	got := s.data(t, query, ids(sandbox.DocumentedJobID, missingID))
	assert.JSONEq(t, `{"job": [
		{"__typename": "Job", "status": "COMPLETE", "priority": "STANDARD", "n": "example_job", "options": [],
			"returnTargets": [{"__typename": "CaptionReturnTarget", "kind": "url"}, {"__typename": "CaptionReturnTarget", "kind": "url"}]},
		{"__typename": "CaptionApiError", "type": "ITEM_NOT_FOUND"}]}`, got)
	assert.Equal(t, got, s.data(t, query, ids(sandbox.DocumentedJobID, missingID)), "the document is remembered")
	assert.JSONEq(t, `{"_entities": [{"__typename": "Job", "status": "COMPLETE"}]}`, s.data(t,
		`{ _entities(representations: [{__typename: "Job", id: "d4fb871e07514304b23131b45f8caa1f"}]) { __typename ... on Job { status } } }`, nil))
	assert.JSONEq(t, `{"__type": {"name": "CaptionJobResult", "possibleTypes": [{"name": "CaptionApiError"}, {"name": "Job"}]}, "none": null}`,
		sorted(s.data(t, `{ __type(name: "CaptionJobResult") { name possibleTypes { name } } none: __type(name: "ApiError") { name } }`, nil)))
	assert.JSONEq(t, `{"jobById": {"t": "CaptionApiError"}}`, s.data(t, `query ($skip: Boolean = true) { jobById(id: "00") { t: __typename ... on Job @skip(if: $skip) { id } } }`, nil))

	page := s.data(t, `query ($f: CaptionJobFilter) { jobs(first: 1, filter: $f) { __typename nodes { __typename } edges { __typename } pageInfo { __typename } } }`,
		map[string]any{"f": map[string]any{"status": "COMPLETE"}})
	assert.JSONEq(t, `{"jobs": {"__typename": "CaptionJobConnection", "nodes": [{"__typename": "Job"}], "edges": [{"__typename": "CaptionJobEdge"}],
		"pageInfo": {"__typename": "PageInfo"}}}`, page)

	refused := gqltest.Query(t, s.URL, `{ jobById(id: "00") { ... on ApiError { type } } }`, nil)
	assert.Equal(t, "GRAPHQL_VALIDATION_FAILED", refused.Code(), "the name without it is a neighbour's")
}

// sorted has the possible types in one order.
func sorted(data string) string {
	return strings.Replace(data, `[{"name":"Job"},{"name":"CaptionApiError"}]`, `[{"name":"CaptionApiError"},{"name":"Job"}]`, 1)
}

func TestPrefix_OfTheEntityToo(t *testing.T) {
	s := newStack(t, nil, graph.Options{DefaultToken: sandbox.Token, Prefix: graph.Prefix{Types: "Caption", Entity: true}})
	got := gqltest.Query(t, s.URL, `query ($r: [_Any!]!) { _entities(representations: $r) { __typename ... on CaptionJob { name } } }`, map[string]any{"r": []any{
		map[string]any{"__typename": "CaptionJob", "id": sandbox.DocumentedJobID}, map[string]any{"__typename": "Job", "id": sandbox.DocumentedJobID}}})
	assert.JSONEq(t, `{"_entities": [{"__typename": "CaptionJob", "name": "example_job"}, null]}`, got.Data())
	assert.Len(t, got.Errors(), 1)
	assert.JSONEq(t, `{"jobById": {"__typename": "CaptionJob", "name": "example_job"}}`,
		s.data(t, `{ jobById(id: "d4fb871e07514304b23131b45f8caa1f") { __typename ... on CaptionJob { name } } }`, nil))
}

// The SDL that a gateway reads is the schema that is served, in whatever version.
func TestPrefix_TheSDLHasIt(t *testing.T) {
	for _, version := range graph.FederationVersions {
		sdl := graph.SubgraphSDL(version, graph.Prefix{Types: "Caption"})
		assert.Contains(t, sdl, "federation/v"+version)
		assert.Contains(t, sdl, "union CaptionJobResult = Job | CaptionApiError")
		assert.Contains(t, sdl, "status: CaptionJobStatus!")
		assert.Contains(t, sdl, "A job that cannot be had is an `CaptionApiError` in its place")
		for _, name := range []string{"ApiError", "Priority", "ErrorType", "JobStatus", "JobResult", "ReturnTarget", "JobFilter"} {
			assert.NotRegexp(t, regexp.MustCompile(`(?m)^(type|enum|union|input) `+name+`\b`), sdl)
			assert.NotRegexp(t, regexp.MustCompile(`: \[?`+name+`\b`), sdl)
		}
		plain, err := graph.PlainSDL(sdl)
		require.NoError(t, err)
		assert.Contains(t, plain, "type CaptionApiError {")
	}
}

// A value in place of a list is a list of it.
func TestEntities_RepresentationsThatAreNone(t *testing.T) {
	s := newStack(t, nil, graph.Options{DefaultToken: sandbox.Token})
	for _, of := range []any{1.5, "Job", []any{true}} {
		answer := gqltest.Query(t, s.URL, `query($of: [_Any!]!) { _entities(representations: $of) { ... on Job { id } } }`, map[string]any{"of": of})
		assert.Equal(t, "BAD_USER_INPUT", answer.Code(), "%v: %s", of, answer.Body)
		assert.Contains(t, answer.Body, "Representation 0 is not an object.")
	}
}
