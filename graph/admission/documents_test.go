package admission_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"

	"jobgraph/graph/admission"
	"jobgraph/graph/generated"
)

// Documents of long texts leave room for few: 32 MiB in all, in which a text counts twice.
func TestDocuments_AreBoundedByWhatTheyKeep(t *testing.T) {
	guard := admission.New(generated.NewExecutableSchema(generated.Config{}).Schema(), admission.Options{Limits: admission.DefaultLimits()})
	read := func(text string) *ast.QueryDocument {
		operation := &graphql.OperationContext{}
		ctx := graphql.WithOperationContext(t.Context(), operation)
		require.Nil(t, guard.MutateOperationParameters(ctx, &graphql.RawParams{Query: text}))
		return operation.Doc
	}
	require.Same(t, read("{ __typename }"), read("{ __typename }"), "it is read once")

	padding := strings.Repeat("#", 1<<20)
	documents := make([]*ast.QueryDocument, 50)
	for i := range documents {
		documents[i] = read(fmt.Sprintf("{ __typename } %s%d", padding, i))
	}
	remembered := 0
	for i, document := range documents {
		if read(fmt.Sprintf("{ __typename } %s%d", padding, i)) == document {
			remembered++
		}
	}
	assert.LessOrEqual(t, remembered, 16)
}
