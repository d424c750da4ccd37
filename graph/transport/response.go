package transport

import (
	"bytes"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
)

// progress is how many bytes a reader must take within the write timeout.
const progress = 64 << 10

// encode gives a response's JSON in three parts without a line break. The data is not
// copied, as it may be large: what it counts for is what it takes.
func encode(response *graphql.Response) [3][]byte {
	head, tail := []byte{'{'}, []byte{'}'}
	if len(response.Errors) > 0 {
		head = append(appendMember(head, "errors", response.Errors), ',')
	}
	head = append(head, `"data":`...)
	if len(response.Extensions) > 0 {
		tail = append(appendMember([]byte{','}, "extensions", response.Extensions), '}')
	}
	data := []byte(response.Data)
	switch {
	case data == nil:
		data = []byte("null")
	case bytes.IndexByte(data, '\n') >= 0: // an event would end there
		var compact bytes.Buffer
		if json.Compact(&compact, data) == nil {
			data = compact.Bytes()
		}
	}
	return [3][]byte{head, data, tail}
}
