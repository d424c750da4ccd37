package admission_test

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"jobgraph/graph"
	"jobgraph/graph/admission"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

// directiveInt is the number of a directive's argument, 0 where there is none.
func directiveInt(t *testing.T, directives ast.DirectiveList, name, argument string) int {
	t.Helper()
	directive := directives.ForName(name)
	if directive == nil {
		return 0
	}
	n, err := strconv.Atoi(directive.Arguments.ForName(argument).Value.Raw)
	require.NoError(t, err)
	return n
}

// What a gateway reads of the SDL is what the guard counts by, field for field.
func TestPrice_TheSDLSaysWhatTheGuardCounts(t *testing.T) {
	document, err := parser.ParseSchema(&ast.Source{Input: graph.SDL()})
	require.NoError(t, err)
	priced := map[string]bool{}
	for _, definition := range document.Definitions {
		if definition.Name == "Job" {
			assert.Equal(t, admission.CallWeight, directiveInt(t, definition.Directives, "cost", "weight"), "a reference is a call")
		} else {
			assert.Nil(t, definition.Directives.ForName("cost"), definition.Name)
		}
		for _, field := range definition.Fields {
			weight, size := admission.PriceOfField(field.Name)
			at := definition.Name + "." + field.Name
			assert.Equal(t, weight, directiveInt(t, field.Directives, "cost", "weight"), at)
			if field.Type.NamedType == "" { // a list
				assert.Equal(t, size, directiveInt(t, field.Directives, "listSize", "assumedSize"), at)
			}
			priced[field.Name] = priced[field.Name] || weight+size > 0
		}
	}
	for name := range admission.Prices() {
		assert.True(t, priced[name], "%s is in the table and not in the schema", name)
	}
}

func TestPrice_HeadersTellIt(t *testing.T) {
	p := program.Start(t)
	for query, want := range map[string][2]string{
		`{ __typename }`:                      {"0", "0"},
		`{ jobs(first: 5) { nodes { id } } }`: {"15", "12"},
		`{ jobs(first: 5) { edges { node { id } } pageInfo { hasNextPage } } }`:                                              {"21", "12"},
		`{ jobs(first: 9) { ...p } jobs(first: 9) { nodes { id } } } fragment p on JobConnection { pageInfo { endCursor } }`: {"20", "12"},
		`{ jobs { __typename } }`:                   {"10", "12"},
		`{ job(ids: ["aa", "bb"]) { __typename } }`: {"20", "2"},
		`{ job(ids: []) { __typename } }`:           {"0", "0"},
		`{ a: jobById(id: "aa") { ...j } b: jobById(id: "bb") { ...j } } fragment j on Job { id }`:           {"20", "2"},
		`{ job(ids: ["aa", "bb"]) { ... on Job { options { name } returnTargets { kind settings } name } }}`: {"40", "2"},
		`{ _entities(representations: [{__typename: "Job", id: "aa"}]) { ... on Job { name } } }`:            {"10", "1"},
		`{ job(ids: ["aa"]) { ... on Job { name } } job(ids: ["aa"]) { ... on Job { options { name } } } }`:  {"15", "1"},
	} {
		for range 2 { // the second one may be cached
			answer := gqltest.Query(t, p.URL+"/graphql", query, nil, "JobGraph-Cost", "1")
			assert.Equal(t, want, [2]string{answer.Header.Get("JobGraph-Cost"), answer.Header.Get("JobGraph-Upstream-Calls")}, query)
			assert.Equal(t, http.StatusOK, answer.Status)
		}
		silent := gqltest.Query(t, p.URL+"/graphql", query, nil)
		assert.Empty(t, silent.Header.Get("JobGraph-Cost"), "nobody asked")
		assert.Empty(t, silent.Header.Get("JobGraph-Upstream-Calls"))
	}
	variables := map[string]any{"ids": []string{"aa", "bb", "cc"}}
	answer := gqltest.Query(t, p.URL+"/graphql", `query ($ids: [ID!]!) { job(ids: $ids) { __typename } }`, variables, "JobGraph-Cost", "1")
	assert.Equal(t, "30", answer.Header.Get("JobGraph-Cost"))
}

// Whoever is refused for the cost is told the cost.
func TestPrice_OfWhatIsRefused(t *testing.T) {
	p := program.Start(t, "--max-upstream-calls", "2")
	answer := gqltest.Query(t, p.URL+"/graphql", `{ job(ids: ["aa", "bb", "cc"]) { __typename } }`, nil, "JobGraph-Cost", "1")
	assert.Equal(t, "COMPLEXITY_LIMIT_EXCEEDED", answer.Code())
	assert.Equal(t, "3", answer.Header.Get("JobGraph-Upstream-Calls"))
	assert.Equal(t, "30", answer.Header.Get("JobGraph-Cost"))
}

// Fragments that spread each other twice are counted once each, and a sum ends at the
// largest number.
func TestPrice_OfManyFragmentsIsCountedInTime(t *testing.T) {
	p := program.Start(t)
	query := `{ jobById(id: "aa") { ...f0 } } fragment f70 on Job { options { name } }`
	for n := range 70 {
		query += fmt.Sprintf(" fragment f%d on Job { ...f%d ...f%d }", n, n+1, n+1)
	}
	answer := gqltest.Query(t, p.URL+"/graphql", query, nil, "JobGraph-Cost", "1")
	assert.Equal(t, strconv.Itoa(math.MaxInt), answer.Header.Get("JobGraph-Cost"), answer.Body)
}
