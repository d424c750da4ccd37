package transport

import (
	"bytes"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
)

// progress is how many bytes a reader must take within the write timeout.
const progress = 64 << 10

// encode gives a response's JSON in three parts. The data is not copied, as it may be large:
// what it counts for is what it takes. A response without data, not even null, is a
// request error and has no such key.
func encode(response *graphql.Response) [3][]byte {
	head, tail := []byte{'{'}, []byte{'}'}
	if len(response.Errors) > 0 {
		head = appendMember(head, "errors", response.Errors)
	}
	if len(response.Extensions) > 0 {
		tail = append(appendMember([]byte{','}, "extensions", response.Extensions), '}')
	}
	if response.Data != nil {
		if len(head) > 1 {
			head = append(head, ',')
		}
		head = append(head, `"data":`...)
	}
	return [3][]byte{head, response.Data, tail}
}

// encodeEvent encodes without a line break, where an event would end. An event has data
// always.
func encodeEvent(response *graphql.Response) [3][]byte {
	event := *response
	switch {
	case event.Data == nil:
		event.Data = []byte("null")
	case bytes.IndexByte(event.Data, '\n') >= 0:
		var compact bytes.Buffer
		if json.Compact(&compact, event.Data) == nil {
			event.Data = compact.Bytes()
		}
	}
	return encode(&event)
}

// appendMember panics where a value is no JSON, which ours always are.
func appendMember(to []byte, name string, value any) []byte {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	to = append(append(append(to, '"'), name...), `":`...)
	return append(to, encoded...)
}
