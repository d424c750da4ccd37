package admission_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/99designs/gqlgen/graphql"

	"jobgraph/graph/admission"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

// While every attack of the table comes in turn, over four connections, other
// people's queries are answered. How fast is shown by -v.
func TestNeighbours_AttacksDisturbNobody(t *testing.T) {
	upstream, _ := recordingUpstream(t)
	p := program.Start(t, "--upstream-url="+upstream, "--upstream-token=aa")
	var attackers sync.WaitGroup
	for range 4 {
		attackers.Go(func() {
			for _, attack := range attacks() {
				gqltest.Do(t, attack.request(p.URL))
			}
		})
	}
	over := make(chan struct{})
	go func() {
		attackers.Wait()
		close(over)
	}()
	var took []time.Duration
	for attacked := true; attacked; {
		start := time.Now()
		answer := gqltest.Do(t, query(`{ job(ids: ["aa"]) { __typename } }`)(p.URL))
		took = append(took, time.Since(start))
		require.Equal(t, 200, answer.Status, "%s", answer.Body)
		select {
		case <-over:
			attacked = false
		default:
		}
	}
	slices.Sort(took)
	t.Logf("%d queries under attack: median %v, 99 %% in %v", len(took), took[len(took)/2], took[len(took)*99/100])
}

// Each reference that fails has its error, however many do: their texts share a bound.
func TestNeighbours_EachFailingReferenceHasItsError(t *testing.T) {
	const most = 64 << 10
	comment := "No."
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"ErrorType": "INVALID_QUERY", "ErrorComment": "` + comment + `"}`))
	}))
	t.Cleanup(upstream.Close)
	p := program.Start(t, "--upstream-url="+upstream.URL, "--upstream-token="+canary, "--upstream-timeout=1m") // a thousand wait for their turns
	for _, c := range []struct {
		references int
		comment    string
		message    int // bytes of each
	}{
		{200, "No such thing.", len("No such thing.")},
		{100, strings.Repeat("ü", 2000), 511}, // whole letters, and the mark of three bytes
		{1000, strings.Repeat("ü", 2000), 65},
	} {
		comment = c.comment
		var representations []string
		for i := range c.references {
			representations = append(representations, fmt.Sprintf(`{"__typename": "Job", "id": "%04x"}`, i))
		}
		answer := gqltest.Do(t, query("query ($r: [_Any!]!) { _entities(representations: $r) { __typename } }",
			`{"r": [`+strings.Join(representations, ",")+`]}`)(p.URL))
		require.Len(t, answer.Errors(), c.references, "%.300s", answer.Body)
		paths, bytes := map[string]bool{}, 0
		for _, err := range answer.Errors() {
			paths[fmt.Sprint(err.Path)] = true
			bytes += len(err.Message)
			assert.Equal(t, c.message, len(err.Message), err.Message)
			assert.Equal(t, "INVALID_QUERY", err.Extensions["code"])
			assert.NotContains(t, err.Extensions, "moreErrors")
		}
		for i := range c.references {
			assert.True(t, paths[fmt.Sprintf("[_entities %d]", i)], i)
		}
		assert.LessOrEqual(t, bytes, most)
	}
}

// An answer holds at most 10 errors of at most 512 bytes, beside those of references, and
// says how many it left out.
func TestNeighbours_ErrorsOfAnAnswerAreBounded(t *testing.T) {
	bounded := admission.New(gqlparser.MustLoadSchema(&ast.Source{Input: "type Query { a: Int }"}), admission.Options{})
	var all gqlerror.List
	for i := range 25 {
		all = append(all,
			&gqlerror.Error{Message: strings.Repeat("x", 2000), Path: ast.Path{ast.PathName("a")}},
			&gqlerror.Error{Message: "no", Path: ast.Path{ast.PathName("_entities"), ast.PathIndex(i)}})
	}
	got := bounded.InterceptResponse(t.Context(), func(context.Context) *graphql.Response {
		return &graphql.Response{Errors: all}
	}).Errors
	require.Len(t, got, 10+25)
	var others gqlerror.List
	for _, err := range got {
		if len(err.Path) == 1 {
			others = append(others, err)
			assert.Len(t, err.Message, 512)
		}
	}
	require.Len(t, others, 10)
	assert.EqualValues(t, 15, others[9].Extensions["moreErrors"])
}

// Ten directives that this server has not are one error, at the place of each.
func TestNeighbours_UnknownDirectivesAreOneError(t *testing.T) {
	p := program.Start(t)
	for text, locations := range map[string]int{
		"{ __typename" + strings.Repeat(" @aa", 10) + " }":                          10,
		"{ __typename" + each(10, " @a%d") + " }":                                   10,
		"{ __typename" + each(40, " @a%d") + " }":                                   10,
		"query @aa { a: __typename @bb ... @defer { __typename } }":                 3,
		"{ __typename @skip(if: false) @aa @aa }":                                   2,
		"{ ...f ...f } fragment f on Query { __typename @aa }":                      1,
		"{ a: __typename @aa b: __typename @deprecated c: __typename @aa @aa @aa }": 5,
	} {
		answer := gqltest.Do(t, query(text)(p.URL))
		require.Len(t, answer.Errors(), 1, "%s: %s", text, answer.Body)
		assert.Contains(t, answer.Message(), "There is no such directive", text)
		assert.Len(t, answer.Errors()[0].Locations, locations, text)
	}
	answer := gqltest.Do(t, query("{ __typename @skip(if: true) @skip(if: true) }")(p.URL))
	require.Len(t, answer.Errors(), 1)
	assert.Contains(t, answer.Message(), "more than once")
	answer = gqltest.Do(t, query("{ nothing @aa @aa }")(p.URL))
	assert.Len(t, answer.Errors(), 2, "%s", answer.Body)
}
