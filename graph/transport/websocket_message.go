package transport

import (
	"encoding/json"
	"net/http"

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

// params reads subscribe's payload. Its headers are those of the upgrade request.
func (m received) params(r *http.Request) (params *graphql.RawParams, ok bool) {
	var sent request
	if !decode(m.Payload, &sent) {
		return nil, false
	}
	params, refusal := sent.params(r)
	return params, refusal == nil
}
