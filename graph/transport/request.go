package transport

import (
	stdjson "encoding/json"
	"errors"
	"maps"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A request is what a client sends, by body or by query string.
type request struct {
	Query         *string `json:"query"`
	OperationName *string `json:"operationName"`
	Variables     object  `json:"variables"`
	Extensions    object  `json:"extensions"`
	// DocumentID and RelayID name a persisted document: the first as the
	// specification's appendix has it, the second as Relay sends it.
	DocumentID *string `json:"documentId"`
	RelayID    *string `json:"doc_id"`
}

// params is the request as gqlgen takes it. A document's id becomes the extension
// that persisted documents have on every transport.
func (s request) params(r *http.Request) (*graphql.RawParams, *requestError) {
	params := &graphql.RawParams{Variables: s.Variables, Extensions: s.Extensions, Headers: r.Header}
	if s.Query != nil {
		params.Query = *s.Query
	}
	if s.OperationName != nil {
		params.OperationName = *s.OperationName
	}
	ids := []*string{s.DocumentID, s.RelayID}
	if id := documentID(r); id != "" {
		if s.DocumentID != nil || s.RelayID != nil || s.Query != nil {
			return nil, badRequest("The address names a document already. Leave the query and any other id out.")
		}
		ids = append(ids, &id)
	}
	for _, id := range ids {
		if id != nil {
			params.Extensions = with(s.Extensions, "persistedQuery", map[string]any{"version": stdjson.Number("1"), "sha256Hash": *id})
		}
	}
	if params.Query == "" && params.Extensions["persistedQuery"] == nil {
		return nil, badRequest(`There is no query. Send one as the parameter query, such as { __typename }.`)
	}
	return params, nil
}

// DocumentPath is the part of an address that names a document: /graphql/{document}.
const DocumentPath = "document"

// documentID is the document that the address names, "" where it names none.
func documentID(r *http.Request) string { return r.PathValue(DocumentPath) }

// with is the object with one more member, the given one being as it was.
func with(o object, name string, value any) object {
	o = maps.Clone(o)
	if o == nil {
		o = object{}
	}
	o[name] = value
	return o
}

// An object is one of JSON, with its numbers as they are written: an ID may have more
// digits than a float64 keeps. gqlgen wants them so.
type object map[string]any

// UnmarshalJSONFrom reads an object or null.
func (o *object) UnmarshalJSONFrom(in *jsontext.Decoder) error {
	value, err := readValue(in)
	if err != nil || value == nil {
		return err
	}
	members, ok := value.(map[string]any)
	if !ok {
		return errors.New("not an object")
	}
	*o = members
	return nil
}

// readValue gives what unmarshalling into any gives, but for numbers. It takes the
// decoder's tokens: a function for numbers alone would be looked up for each value.
func readValue(in *jsontext.Decoder) (any, error) {
	token, err := in.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '{':
		return readObject(in)
	case '[':
		return readList(in)
	case '"':
		return token.String(), nil
	case '0':
		return stdjson.Number(token.String()), nil
	case 'n':
		return nil, nil
	default:
		return token.Bool(), nil
	}
}

func readObject(in *jsontext.Decoder) (map[string]any, error) {
	members := map[string]any{}
	for in.PeekKind() != '}' {
		name, err := in.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String() // the token is void after the next one
		if members[key], err = readValue(in); err != nil {
			return nil, err
		}
	}
	_, err := in.ReadToken()
	return members, err
}

func readList(in *jsontext.Decoder) ([]any, error) {
	entries := []any{}
	for in.PeekKind() != ']' {
		entry, err := readValue(in)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	_, err := in.ReadToken()
	return entries, err
}

// decode reads one whole JSON object: valid UTF-8, no name twice, nothing after it.
// What was wrong is not told: the error would quote the request.
func decode(text []byte, into any) bool {
	return json.Unmarshal(text, into) == nil
}
