package transport_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

const (
	asGraphQL = "application/graphql-response+json; charset=utf-8"
	asJSON    = "application/json; charset=utf-8"
)

func TestHTTP_AcceptChoosesTheMediaType(t *testing.T) {
	p := program.Start(t)
	for accept, want := range map[string]string{
		"":                                  asJSON,
		"*/*":                               asJSON,
		"application/*":                     asJSON,
		"application/json":                  asJSON,
		"APPLICATION/JSON":                  asJSON,
		"text/html, */*":                    asJSON,
		"application/graphql-response+json": asGraphQL,
		"application/json, application/graphql-response+json":                 asGraphQL,
		"application/graphql-response+json; charset=utf-8, application/json":  asGraphQL,
		"application/graphql-response+json, */*":                              asGraphQL,
		"application/graphql-response+json;q=0.9, application/json":           asJSON,
		"application/graphql-response+json;q=0.9, application/json;q=0.8":     asGraphQL,
		"application/graphql-response+json;q=0.5, */*;q=0.9":                  asJSON,
		"application/graphql-response+json;q=0, application/*":                asJSON,
		"application/json;q=0, */*":                                           asGraphQL,
		"application/json;q=0.5, application/graphql-response+json;q=nothing": asJSON,
		"text/html":                        "",
		"application/json;q=0":             "",
		"*/*;q=0":                          "",
		"application/json; charset=utf-16": "",
		"application/graphql-response+json;q=0, application/json;q=0, */*;q=0": "",
	} {
		answer := gqltest.Post(t, p.URL+"/graphql", `{"query": "{ __typename }"}`, "Accept", accept)
		if want == "" {
			assert.Equal(t, 406, answer.Status, accept)
			continue
		}
		assert.Equal(t, 200, answer.Status, accept)
		assert.Equal(t, want, answer.Header.Get("Content-Type"), accept)
		assert.JSONEq(t, `{"data": {"__typename": "Query"}}`, answer.Body)
		assert.Contains(t, answer.Header.Values("Vary"), "Authorization, Accept")
	}
}

func TestHTTP_Methods(t *testing.T) {
	p := program.Start(t)
	for _, c := range []struct {
		method, query string
		status        int
		allow         string
	}{
		{http.MethodGet, "?query={__typename}", 200, ""},
		{http.MethodGet, "?query=query($a:Boolean!){__typename@include(if:$a)}&variables=" + url.QueryEscape(`{"a":true}`), 200, ""},
		{http.MethodGet, "?query=query+A{__typename}query+B{__typename}&operationName=B", 200, ""},
		{http.MethodGet, "?query=mutation{a}", 405, "POST"},
		{http.MethodGet, "?query=subscription{a}", 405, "POST"},
		{http.MethodGet, "?query=query+A{__typename}mutation+B{a}&operationName=B", 405, "POST"},
		{http.MethodGet, "", 400, ""},
		{http.MethodGet, "?query={__typename}&variables=[]", 400, ""},
		{http.MethodGet, "?query=%FF", 400, ""},
		{http.MethodPut, "", 405, "GET, POST"},
		{http.MethodDelete, "", 405, "GET, POST"},
		{http.MethodOptions, "", 405, "GET, POST"},
		{http.MethodHead, "?query={__typename}", 405, "GET, POST"},
	} {
		answer := gqltest.Do(t, gqltest.Request(t, c.method, p.URL+"/graphql"+c.query, ""))
		assert.Equal(t, c.status, answer.Status, "%s %s: %s", c.method, c.query, answer.Body)
		assert.Equal(t, c.allow, answer.Header.Get("Allow"), "%s %s", c.method, c.query)
	}
}

// The older media type has 200 for a request that is well-formed, the newer one 400;
// neither has data.
func TestHTTP_RequestErrorsHaveNoData(t *testing.T) {
	p := program.Start(t)
	for name, body := range map[string]string{
		"not to be parsed":    `{"query": "{"}`,
		"not valid":           `{"query": "{ nothing }"}`,
		"a variable":          `{"query": "query ($ids: [ID!]!) { job(ids: $ids) { __typename } }"}`,
		"no such operation":   `{"query": "{ __typename }", "operationName": "A"}`,
		"too complex":         `{"query": "{ a { a { a { a { a { a { a { a { a { a { a } } } } } } } } } } }"}`,
		"not persisted":       `{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "aa"}}}`,
		"a bad persisted one": `{"extensions": {"persistedQuery": 1}}`,
	} {
		for accept, status := range map[string]int{"application/json": 200, "application/graphql-response+json": 400} {
			answer := gqltest.Post(t, p.URL+"/graphql", body, "Accept", accept)
			assert.Equal(t, status, answer.Status, "%s: %s", name, answer.Body)
			assert.Empty(t, answer.Data(), name)
			assert.NotEmpty(t, answer.Errors(), name)
		}
	}
}

func TestHTTP_VariablesKeepTheirDigits(t *testing.T) {
	p := program.Start(t)
	answer := gqltest.Post(t, p.URL+"/graphql",
		`{"query": "query ($ids: [ID!]!) { job(ids: $ids) { ... on ApiError { jobId } } }", "variables": {"ids": [12345678901234567890123]}}`)
	assert.JSONEq(t, `{"data": {"job": [{"jobId": "12345678901234567890123"}]}}`, answer.Body)
}
