package transport

import (
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
)

// decodeGet reads the query string's parameters; variables and extensions are JSON.
func decodeGet(r *http.Request, in *intake, query string) (*graphql.RawParams, *requestError) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, badRequest("The query string is not URL-encoded as it should be.")
	}
	for name := range values {
		if !utf8.ValidString(values.Get(name)) {
			return nil, badRequest("The query string is not UTF-8.")
		}
	}
	sent := request{
		Query:         parameter(values, "query"),
		OperationName: parameter(values, "operationName"),
		DocumentID:    parameter(values, "documentId"),
		RelayID:       parameter(values, "doc_id"),
	}
	for name, into := range map[string]*object{"variables": &sent.Variables, "extensions": &sent.Extensions} {
		text := []byte(values.Get(name))
		if !in.expect(text) {
			return nil, &noRoom
		}
		if len(text) > 0 && !decode(text, into) {
			return nil, badRequest("The parameter " + name + " is not a URL-encoded JSON object.")
		}
	}
	return sent.params(r)
}

// parameter is nil where there is none.
func parameter(values url.Values, name string) *string {
	if !values.Has(name) {
		return nil
	}
	value := values.Get(name)
	return &value
}
