package graph_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"jobgraph/graph"
	"jobgraph/graph/e2e/gqltest"
)

func TestSDL_PlainSDLNeedsNothingOfFederation(t *testing.T) {
	sdl, err := os.ReadFile("../schema.graphqls")
	require.NoError(t, err)
	_, err = gqlparser.LoadSchema(&ast.Source{Input: string(sdl)})
	require.Error(t, err, "without federation's definitions the whole SDL is not valid")

	plain, err := graph.PlainSDL(string(sdl))
	require.NoError(t, err)
	schema, err := gqlparser.LoadSchema(&ast.Source{Input: plain})
	require.NoError(t, err)
	assert.NotContains(t, plain, "@link")
	assert.Equal(t, "scalars.graphql.org/andimarek/date-time.html",
		schema.Types["DateTime"].Directives.ForName("specifiedBy").Arguments.ForName("url").Value.Raw[len("https://"):])
	for name, definition := range schema.Types {
		if definition.BuiltIn || name == "Query" || name == "Subscription" {
			continue
		}
		assert.NotEmpty(t, definition.Description, name)
		for _, field := range definition.Fields {
			assert.NotEmpty(t, field.Description, "%s.%s", name, field.Name)
		}
	}
}

func TestSDL_PlainSDLKeepsWhatTheFileDefines(t *testing.T) {
	plain, err := graph.PlainSDL(`extend schema @link(url: "x")
		directive @own on FIELD_DEFINITION
		type Query @foreign { a(b: Int @foreign): E @own @foreign @deprecated(reason: "c") }
		enum E { F @foreign G @deprecated(reason: "h") }`)
	require.NoError(t, err)
	assert.NotContains(t, plain, "@foreign")
	assert.NotContains(t, plain, "extend schema")
	assert.Contains(t, plain, `E @own @deprecated(reason: "c")`)
	assert.Contains(t, plain, `G @deprecated(reason: "h")`)
}

func TestSDL_PlainSDLOfWhatIsNoSchema(t *testing.T) {
	_, err := graph.PlainSDL("type {")
	assert.ErrorContains(t, err, "schema.graphqls:1")
}

func TestSDL_IsTheSchemaFile(t *testing.T) {
	file, err := os.ReadFile("../schema.graphqls")
	require.NoError(t, err)
	assert.Equal(t, string(file), graph.SDL())
}

// A subgraph for gateways that know no newer federation has its entity, and is the same schema.
func TestSDL_TheOldestFederation(t *testing.T) {
	old := graph.SubgraphSDL("2.0", graph.Prefix{})
	assert.Equal(t, 1, strings.Count(old, "@link("))
	assert.Contains(t, old, `@link(url: "https://specs.apollo.dev/federation/v2.0", import: ["@key", "@shareable"])`)
	assert.Contains(t, old, `type Job @key(fields: "id")`)
	for _, newer := range []string{"@cost", "@listSize", "@tag"} {
		assert.NotContains(t, old, newer)
		assert.Contains(t, graph.SubgraphSDL("", graph.Prefix{}), newer)
	}
	plain, err := graph.PlainSDL(graph.SDL())
	require.NoError(t, err)
	same, err := graph.PlainSDL(old)
	require.NoError(t, err)
	assert.Equal(t, plain, same)
}

// What not every client is to see has a tag, by which a contract leaves it out.
func TestSDL_InternalFieldsHaveATag(t *testing.T) {
	document, err := parser.ParseSchema(&ast.Source{Input: graph.SDL()})
	require.NoError(t, err)
	var tagged []string
	for _, definition := range document.Definitions {
		for _, field := range definition.Fields {
			if tag := field.Directives.ForName("tag"); tag != nil && tag.Arguments.ForName("name").Value.Raw == "internal" {
				tagged = append(tagged, definition.Name+"."+field.Name)
			}
		}
	}
	assert.Equal(t, []string{"Job.options", "ReturnTarget.callbackUrl", "ReturnTarget.settings", "ApiError.upstreamType"}, tagged)
}

func TestSDL_TheSubgraphsIsServed(t *testing.T) {
	for version, want := range map[string]string{"": "v2.9", "2.9": "v2.9", "2.0": "v2.0"} {
		s := newStack(t, nil, graph.Options{FederationVersion: version})
		answer := gqltest.Query(t, s.URL, `{ _service { a: sdl sdl __typename } }`, nil)
		var got struct {
			Service map[string]string `json:"_service"`
		}
		require.NoError(t, json.Unmarshal([]byte(answer.Data()), &got))
		assert.Equal(t, map[string]string{"a": graph.SubgraphSDL(version, graph.Prefix{}), "sdl": graph.SubgraphSDL(version, graph.Prefix{}), "__typename": "_Service"}, got.Service)
		assert.Contains(t, got.Service["sdl"], want)
	}
}
