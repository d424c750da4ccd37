package graph_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"jobgraph/graph"
	"jobgraph/graph/admission"
)

// A refused query by GET costs what it costs by POST: its text is not parsed once more,
// least of all without the limits that refused it.
func TestNewHandler_ARefusedGETIsParsedOnce(t *testing.T) {
	limits := admission.DefaultLimits()
	limits.Tokens = 20_000
	for name, c := range map[string]struct {
		limits admission.Limits
		text   string
	}{
		"too many tokens":  {admission.DefaultLimits(), "{" + strings.Repeat(" a", 12_000) + "}"},
		"too many aliases": {limits, "{" + strings.Repeat(" a", 12_000) + "}"},
	} {
		t.Run(name, func(t *testing.T) {
			handler := graph.NewHandler(panicking{}, graph.Options{Limits: c.limits})
			target := "/graphql?query=" + url.QueryEscape(c.text)
			body := `{"query": "` + c.text + `"}`
			get := testing.AllocsPerRun(5, func() {
				handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, target, nil))
			})
			post := testing.AllocsPerRun(5, func() {
				r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				handler.ServeHTTP(httptest.NewRecorder(), r)
			})
			t.Logf("allocations: GET %.0f, POST %.0f", get, post)
			assert.Less(t, get, post+500)
		})
	}
}

// That it is no query is told first, wherever the text could be read within its limits.
func TestNewHandler_AMutationByGETIsTheWrongMethod(t *testing.T) {
	handler := graph.NewHandler(panicking{}, graph.Options{})
	deep := strings.Repeat("{a", 12) + strings.Repeat("}", 12)
	for text, status := range map[string]int{
		"mutation { a }":                                http.StatusMethodNotAllowed,
		"mutation " + deep:                              http.StatusMethodNotAllowed,
		"mutation ($a: Nothing) { a }":                  http.StatusMethodNotAllowed,
		"subscription { jobUpdated { __typename } }":    http.StatusMethodNotAllowed,
		"query A { __typename } mutation B { a }":       http.StatusBadRequest, // which one, it does not say
		"mutation {" + strings.Repeat(" a", 1000) + "}": http.StatusBadRequest,
		"mutation {":    http.StatusBadRequest,
		"query " + deep: http.StatusBadRequest,
	} {
		r := httptest.NewRequest(http.MethodGet, "/graphql?query="+url.QueryEscape(text), nil)
		r.Header.Set("Accept", "application/graphql-response+json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		answer, _ := io.ReadAll(w.Result().Body)
		assert.Equal(t, status, w.Code, "%.60s: %s", text, answer)
	}
}
