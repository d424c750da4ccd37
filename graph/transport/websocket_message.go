package transport

import (
	"bytes"
	"encoding/json"
	"errors"
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

// isLeftOut says that there is no payload. null counts as that.
func (m clientMessage) isLeftOut() bool { return len(m.Payload) == 0 || string(m.Payload) == "null" }

// mayBeEchoed says whether the payload is an object, or left out. It is not decoded, which would
// take fifty times its room: it is JSON as it is.
func (m clientMessage) mayBeEchoed() bool { return m.isLeftOut() || m.Payload[0] == '{' }

// pong answers a ping.
func (m clientMessage) pong() message {
	if m.isLeftOut() {
		return message{Type: "pong"}
	}
	return message{Type: "pong", Payload: m.Payload}
}

var errNoObject = errors.New("not an object")

// members are all values of each name of a payload: a map has the last one alone.
func (m clientMessage) members() (map[string][]any, error) {
	if m.isLeftOut() {
		return nil, nil
	}
	in := json.NewDecoder(bytes.NewReader(m.Payload))
	if bracket, err := in.Token(); err != nil || bracket != json.Delim('{') {
		return nil, errNoObject
	}
	members := map[string][]any{}
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
