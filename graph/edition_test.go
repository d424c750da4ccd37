package graph_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
)

// What GraphQL's edition of September 2025 has that older ones had not.
func TestEdition_ExecutableDescriptions(t *testing.T) {
	s := newStack(t, nil, withSandboxToken)
	for _, query := range []string{
		`"What it is for." query A { __typename }`,
		`"""What it is for.""" query A("whether" $a: Boolean = true) { __typename @include(if: $a) ...f } "a part" fragment f on Query { __typename }`,
	} {
		assert.JSONEq(t, `{"__typename": "Query"}`, s.data(t, query, nil), query)
	}
	assert.Equal(t, "GRAPHQL_PARSE_FAILED", gqltest.Query(t, s.URL, `"of a shorthand" { __typename }`, nil).Code(), "which has none")
}

func TestEdition_FullUnicode(t *testing.T) {
	s := newStack(t, nil, withSandboxToken)
	for literal, want := range map[string]string{
		`"\u{1F600}\u{61}"`:           "😀a",
		`"\uD83D\uDE00"`:              "😀",
		`"😀"`:                         "😀",
		`"""😀 \u{41}"""`:              `😀 \\u{41}`,
		`"\u{000000000000000000041}"`: "",
		`"\u{110000}"`:                "",
		`"\u{}"`:                      "",
		`"\u{D83D}"`:                  "",
	} {
		answer := gqltest.Query(t, s.URL, `{ jobById(id: `+literal+`) { ... on ApiError { jobId } } }`, nil)
		if want == "" {
			assert.Equal(t, "GRAPHQL_PARSE_FAILED", answer.Code(), literal)
			continue
		}
		assert.JSONEq(t, `{"jobById": {"jobId": "`+want+`"}}`, answer.Data(), literal)
	}
}

func TestEdition_IntrospectionTellsOneOfAndDeprecatedInputs(t *testing.T) {
	s := newStack(t, nil, withSandboxToken)
	assert.JSONEq(t, `{"a": {"isOneOf": false}, "b": {"isOneOf": false, "inputFields": [
		{"name": "from", "isDeprecated": false, "deprecationReason": null}, {"name": "to", "isDeprecated": false, "deprecationReason": null}]}}`,
		s.data(t, `{ a: __type(name: "Job") { isOneOf }
			b: __type(name: "IntRange") { isOneOf inputFields(includeDeprecated: true) { name isDeprecated deprecationReason } } }`, nil))
	var got struct {
		Schema struct {
			Directives []struct {
				Name      string
				Locations []string
			}
		} `json:"__schema"`
	}
	require.NoError(t, json.Unmarshal([]byte(s.data(t, `{ __schema { directives { name locations } } }`, nil)), &got))
	locations := map[string][]string{}
	for _, directive := range got.Schema.Directives {
		locations[directive.Name] = directive.Locations
	}
	assert.Equal(t, []string{"INPUT_OBJECT"}, locations["oneOf"])
	assert.Subset(t, locations["deprecated"], []string{"FIELD_DEFINITION", "ENUM_VALUE", "ARGUMENT_DEFINITION", "INPUT_FIELD_DEFINITION"})
}

// What admission/README.md says of where the server differs.
func TestEdition_WhereItDiffersIsStated(t *testing.T) {
	s := newStack(t, nil, withSandboxToken)
	for _, given := range []map[string]any{{"first": "1"}, {"name": 5}, {"from": 1 << 40}} {
		answer := gqltest.Query(t, s.URL, `query ($first: Int = 1, $name: String = "none", $from: Int) {
			jobs(first: $first, filter: {name: $name, turnaroundHours: {from: $from}}) { nodes { id } } }`, given)
		assert.JSONEq(t, `{"jobs": {"nodes": []}}`, answer.Data(), "%v: %s", given, answer.Body)
	}
	assert.JSONEq(t, `{"__type": {"isOneOf": false, "fields": [], "inputFields": [], "interfaces": [], "enumValues": [], "possibleTypes": []}}`,
		s.data(t, `{ __type(name: "String") { isOneOf fields { name } inputFields { name } interfaces { name } enumValues { name } possibleTypes { name } } }`, nil))
}
