// Package scalar reads and writes the schema's own scalars: DateTime and JSON.
// No argument of the schema has the type JSON, so reading it is refused.
package scalar

import (
	"errors"
	"io"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json/jsontext"

	"jobgraph/graph/errcode"
	"jobgraph/upstream"
)

var errOutputOnly = errors.New("this type cannot be used for input")

// MarshalDateTime writes as [upstream.AppendDate] does.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = w.Write(upstream.AppendDate(make([]byte, 0, len(time.RFC3339Nano)+2), t))
	})
}

// UnmarshalDateTime reads RFC 3339 with its offset.
func UnmarshalDateTime(value any) (time.Time, error) {
	if text, ok := value.(string); ok {
		if date, err := time.Parse(time.RFC3339, text); err == nil {
			return date.UTC(), nil
		}
	}
	return time.Time{}, errcode.New(errcode.BadUserInput, "A DateTime must be RFC 3339 with an offset, such as \"2014-08-27T14:00:06Z\".")
}

// MarshalJSON writes the value's own bytes.
func MarshalJSON(v jsontext.Value) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = w.Write(v) })
}

// UnmarshalJSON refuses.
func UnmarshalJSON(any) (jsontext.Value, error) { return nil, errOutputOnly }
