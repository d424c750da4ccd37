package transport

import (
	stdjson "encoding/json"
	"errors"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A request is what a client sends, by body or by query string.
type request struct {
	Query         *string        `json:"query"`
	OperationName *string        `json:"operationName"`
	Variables     map[string]any `json:"variables"`
	Extensions    map[string]any `json:"extensions"`
	// DocumentID and RelayID name a persisted document: the first as the
	// specification's appendix has it, the second as Relay sends it.
	DocumentID *string `json:"documentId"`
	RelayID    *string `json:"doc_id"`
}

// params is the request as gqlgen takes it. A document's id becomes the extension
// that persisted documents have on every transport.
func (s request) params(r *http.Request) (*graphql.RawParams, *refusal) {
	params := &graphql.RawParams{Variables: s.Variables, Extensions: s.Extensions, Headers: r.Header}
	if s.Query != nil {
		params.Query = *s.Query
	}
	if s.OperationName != nil {
		params.OperationName = *s.OperationName
	}
	for _, id := range []*string{s.DocumentID, s.RelayID} {
		if id != nil {
			params.Extensions = map[string]any{"persistedQuery": map[string]any{"version": stdjson.Number("1"), "sha256Hash": *id}}
		}
	}
	if params.Query == "" && params.Extensions["persistedQuery"] == nil {
		return nil, badRequest(`There is no query. Send one as the parameter query, such as { __typename }.`)
	}
	return params, nil
}

// asNumbers keeps numbers as they are written, as gqlgen wants them: an ID may have
// more digits than a float64 keeps.
var asNumbers = json.WithUnmarshalers(json.UnmarshalFromFunc(func(decoder *jsontext.Decoder, value *any) error {
	if decoder.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	number, err := decoder.ReadValue()
	if err == nil {
		*value = stdjson.Number(number)
	}
	return err
}))

// decode reads one whole JSON object: valid UTF-8, no name twice, nothing after it.
// What was wrong is not told: the error would quote the request.
func decode(text []byte, into any) bool {
	return json.Unmarshal(text, into, asNumbers) == nil
}
