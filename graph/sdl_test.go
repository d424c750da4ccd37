package graph_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"jobgraph/graph"
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
