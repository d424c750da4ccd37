package transport

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/99designs/gqlgen/graphql"
)

// message is one of the protocol's, in either direction.
type message struct {
	ID      string `json:"id,omitempty"`
	Type    string `json:"type"`
	Payload any    `json:"payload,omitempty"`
}

// received is a client's message.
type received struct {
	ID      string          `json:"id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// object reads a payload that may be left out. null counts as left out.
func (m received) object() (map[string]any, error) {
	if len(m.Payload) == 0 {
		return nil, nil
	}
	var payload map[string]any
	err := json.Unmarshal(m.Payload, &payload)
	return payload, err
}

// params reads subscribe's payload.
func (m received) params() (*graphql.RawParams, error) {
	return decodeParams(m.Payload)
}

// decodeParams reads a GraphQL request. Numbers keep their digits.
func decodeParams(data []byte) (*graphql.RawParams, error) {
	var request struct {
		Query         *string        `json:"query"`
		OperationName string         `json:"operationName"`
		Variables     map[string]any `json:"variables"`
		Extensions    map[string]any `json:"extensions"`
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&request); err != nil {
		return nil, errors.New("the request is not a GraphQL request in JSON")
	}
	if request.Query == nil && request.Extensions == nil {
		return nil, errors.New("the request has no query")
	}
	params := &graphql.RawParams{OperationName: request.OperationName, Variables: request.Variables, Extensions: request.Extensions}
	if request.Query != nil {
		params.Query = *request.Query
	}
	return params, nil
}
