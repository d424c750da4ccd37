package projection

import (
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"jobgraph/graph/generated"
	"jobgraph/upstream"
)

const everything = `{ jobById(id: "aa") { __typename again: __typename
	... on Job { id name mediaLengthSeconds status dueDate returnTargets { __typename kind callbackUrl settings } options { name value } }
	... on ApiError { type comment jobId upstreamType retryable retryAfterSeconds } } }`

// compiled is what the query's one field selects of the object.
func compiled(t *testing.T, of object, query string) *selection {
	t.Helper()
	document, errs := gqlparser.LoadQueryWithRules(generated.NewExecutableSchema(generated.Config{}).Schema(), query, rules.NewDefaultRules())
	require.Empty(t, errs)
	set := document.Operations[0].SelectionSet[0].(*ast.Field).SelectionSet
	return of.compile(&graphql.OperationContext{Doc: document}, set)
}

// Room for an answer is made, and counted, by its size: it must be neither less nor more.
func TestSize_IsWhatIsWritten(t *testing.T) {
	ofJob, ofError := compiled(t, job, everything), compiled(t, apiError, everything)
	nothing := compiled(t, job, `{ jobById(id: "aa") { ... on ApiError { type } } }`)
	full := upstream.Job{
		ID: "aa", Name: new("a \"name\" \x00\xff é"), MediaLengthSeconds: new(-1.2345678901234567e-300), DueDate: new(time.Unix(1e9, 1)),
		ReturnTargets: []upstream.ReturnTarget{{Kind: "url", CallbackURL: new("x")}, {}, {Settings: []byte(`[ 1 ]`)}},
		Options:       []upstream.JobOption{{Name: "o"}},
	}.Encode()
	for _, item := range []item{
		{},
		{nothing, full.Record},
		{ofJob, full.Record},
		{ofJob, upstream.Job{}.Encode().Record},
		{ofError, (&upstream.Error{}).Encode()},
		{ofError, (&upstream.Error{Type: upstream.RateLimited, Comment: "\"", UpstreamType: new("x"), RetryAfter: time.Hour}).Encode()},
	} {
		assert.Len(t, item.append(nil), item.size())
	}
}

func TestSize_WritingAJobAllocatesNothing(t *testing.T) {
	item := item{compiled(t, job, everything), upstream.Job{ReturnTargets: make([]upstream.ReturnTarget, 3)}.Encode().Record}
	to := make([]byte, 0, item.size())
	assert.Zero(t, testing.AllocsPerRun(100, func() { to = item.append(to[:0]) }))
}
