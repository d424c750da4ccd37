// Package scalar writes the schema's own scalars: DateTime and JSON.
// No argument of the schema has their types, so reading them is refused.
package scalar

import (
	"errors"
	"io"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json/jsontext"
)

var errOutputOnly = errors.New("this type cannot be used for input")

// MarshalDateTime writes RFC 3339 in UTC with the digits of the second that the
// time has.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		text := make([]byte, 0, len(time.RFC3339Nano)+2)
		text = append(text, '"')
		text = t.UTC().AppendFormat(text, time.RFC3339Nano)
		_, _ = w.Write(append(text, '"'))
	})
}

// UnmarshalDateTime refuses.
func UnmarshalDateTime(any) (time.Time, error) { return time.Time{}, errOutputOnly }

// MarshalJSON writes the value's own bytes.
func MarshalJSON(v jsontext.Value) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = w.Write(v) })
}

// UnmarshalJSON refuses.
func UnmarshalJSON(any) (jsontext.Value, error) { return nil, errOutputOnly }
