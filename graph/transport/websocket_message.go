package transport

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
)

// message is one of the server's. Its payload is a *graphql.Response, or small, or the client's own.
type message struct {
	ID      string `json:"id,omitempty"`
	Type    string `json:"type"`
	Payload any    `json:"payload,omitempty"`
}

// parts are the message's JSON.
func (m message) parts() ([][]byte, error) {
	response, large := m.Payload.(*graphql.Response)
	if !large {
		text, err := json.Marshal(m)
		return [][]byte{text}, err
	}
	m.Payload = nil
	head, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	head = append(head[:len(head)-1], `,"payload":`...)
	payload := encodeEvent(response)
	return [][]byte{append(head, payload[0]...), payload[1], append(payload[2], '}')}, nil
}

// clientMessage is one of a client's.
type clientMessage struct {
	ID      string          `json:"id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// hasPayload is false for null as well.
func (m clientMessage) hasPayload() bool { return len(m.Payload) > 0 && string(m.Payload) != "null" }

// isWellFormed says that the payload is an object, or left out. It is not decoded, which would take
// fifty times its room.
func (m clientMessage) isWellFormed() bool { return !m.hasPayload() || m.Payload[0] == '{' }

// pong answers a ping, with its payload as it came.
func (m clientMessage) pong() message {
	if !m.hasPayload() {
		return message{Type: "pong"}
	}
	return message{Type: "pong", Payload: m.Payload}
}

// members are all values of each name of a well-formed payload: a map has the last one alone.
func (m clientMessage) members() (map[string][]any, error) {
	members := map[string][]any{}
	if !m.hasPayload() {
		return members, nil
	}
	in := json.NewDecoder(bytes.NewReader(m.Payload))
	if _, err := in.Token(); err != nil { // the bracket
		return nil, err
	}
	for in.More() {
		name, err := in.Token()
		if err != nil {
			return nil, err
		}
		var value any
		if err := in.Decode(&value); err != nil {
			return nil, err
		}
		text, _ := name.(string)
		members[text] = append(members[text], value)
	}
	return members, nil
}

// params reads subscribe's payload. Its headers are those of the upgrade request.
func (m clientMessage) params(r *http.Request) (params *graphql.RawParams, ok bool) {
	var sent request
	if !decode(m.Payload, &sent) {
		return nil, false
	}
	params, refusal := sent.params(r)
	return params, refusal == nil
}
