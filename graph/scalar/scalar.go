// Package scalar writes the schema's own scalars: DateTime and JSON.
// No argument of the schema has their types, so reading them is refused.
package scalar

import (
	"errors"
	"io"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json/jsontext"

	"jobgraph/upstream"
)

var errOutputOnly = errors.New("this type cannot be used for input")

// MarshalDateTime writes as [upstream.AppendDate] does.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = w.Write(upstream.AppendDate(make([]byte, 0, len(time.RFC3339Nano)+2), t))
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
