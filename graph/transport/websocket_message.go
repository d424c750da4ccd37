package transport

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
)

// message is one of the server's. Its payload is a *graphql.Response, or small.
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

// object reads a payload that may be left out. null counts as left out.
func (m clientMessage) object() (map[string]any, error) {
	if len(m.Payload) == 0 {
		return nil, nil
	}
	var payload map[string]any
	err := json.Unmarshal(m.Payload, &payload)
	return payload, err
}

// members are all values of each name of a payload: a map has the last one alone.
func (m clientMessage) members() (map[string][]any, error) {
	once, err := m.object()
	if once == nil || err != nil {
		return nil, err
	}
	members := map[string][]any{}
	in := json.NewDecoder(bytes.NewReader(m.Payload))
	_, err = in.Token() // the bracket
	for err == nil && in.More() {
		var name json.Token
		var value any
		if name, err = in.Token(); err == nil {
			err = in.Decode(&value)
		}
		text, _ := name.(string)
		members[text] = append(members[text], value)
	}
	return members, err
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
