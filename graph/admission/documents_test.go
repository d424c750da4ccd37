package admission_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/admission"
	"jobgraph/graph/generated"
)

// reader reads texts as a guard remembers them.
func reader(t *testing.T) func(text string) *ast.QueryDocument {
	guard := admission.New(generated.NewExecutableSchema(generated.Config{}).Schema(), admission.Options{Limits: admission.DefaultLimits()})
	return func(text string) *ast.QueryDocument {
		operation := &graphql.OperationContext{}
		ctx := graphql.WithOperationContext(t.Context(), operation)
		require.Nil(t, guard.MutateOperationParameters(ctx, &graphql.RawParams{Query: text}))
		return operation.Doc
	}
}

// remembered is how many of the texts a reader still has when it has read all of them.
func remembered(t *testing.T, texts int, text func(n int) string) (remembered int) {
	read := reader(t)
	documents := make([]*ast.QueryDocument, texts)
	for n := range documents {
		documents[n] = read(text(n))
	}
	for n, document := range documents {
		if read(text(n)) == document {
			remembered++
		}
	}
	return remembered
}

// Documents of long texts leave room for few: 32 MiB in all, in which a text counts twice.
func TestDocuments_AreBoundedByWhatTheyKeep(t *testing.T) {
	read := reader(t)
	require.Same(t, read("{ __typename }"), read("{ __typename }"), "it is read once")
	padding := strings.Repeat("#", 1<<20)
	assert.LessOrEqual(t, remembered(t, 50, func(n int) string { return fmt.Sprintf("{ __typename } %s%d", padding, n) }), 16)
}

// A fragment is in the plan of each field that spreads it.
func TestDocuments_CountTheirPlans(t *testing.T) {
	fragment := "fragment f on Job { id name status priority fidelity difficulty sourceLanguage targetLanguage externalId creationDate" +
		" authorizationDate startDate dueDate completedDate returnDate mediaLengthSeconds }"
	texts := func(fields int) func(n int) string {
		query := "{"
		for field := range fields {
			query += fmt.Sprintf(` f%d: jobById(id: "aa") { ...f }`, field)
		}
		return func(n int) string { return fmt.Sprintf("%s } %s #%d", query, fragment, n) }
	}
	assert.Equal(t, 1000, remembered(t, 1000, texts(1)))
	assert.Less(t, remembered(t, 1000, texts(20)), 700)
}

// Who has left waits no more for a place among those whose texts are read.
func TestDocuments_WhoHasLeftIsNotRead(t *testing.T) {
	guard := admission.New(generated.NewExecutableSchema(generated.Config{}).Schema(), admission.Options{Limits: admission.DefaultLimits()})
	defer guard.Parse()()
	gone, leave := context.WithCancel(t.Context())
	leave()
	refused := make(chan *gqlerror.Error, 1)
	go func() {
		ctx := graphql.WithOperationContext(gone, &graphql.OperationContext{})
		refused <- guard.MutateOperationParameters(ctx, &graphql.RawParams{Query: "{ __typename }"})
	}()
	select {
	case failure := <-refused:
		require.NotNil(t, failure)
		assert.Equal(t, "OVERLOADED", failure.Extensions["code"])
	case <-time.After(10 * time.Second):
		t.Error("it waits")
	}
}
