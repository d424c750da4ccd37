package selected

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/vektah/gqlparser/v2/ast"
)

// A writer appends what is selected of a value as JSON.
type writer[T any] func(to []byte, value *T) []byte

// A field gives its writer for what is selected below it.
type field[T any] func(operation *graphql.OperationContext, below ast.SelectionSet) writer[T]

// An object is one of the schema's object types.
type object[T any] struct {
	name string
	// conditions are the types that a fragment on this object may name.
	conditions []string
	fields     map[string]field[T]
}

// compile reads the selection as the executor does: fragments, @skip and @include,
// fields of one name together.
func (o object[T]) compile(operation *graphql.OperationContext, set ast.SelectionSet) writer[T] {
	type member struct {
		key   string
		write writer[T]
	}
	var members []member
	seen := map[string]bool{}
	for _, selected := range graphql.CollectFields(operation, set, o.conditions) {
		if seen[selected.Alias] { // __typename of the union and of the member
			continue
		}
		seen[selected.Alias] = true
		write := o.typename
		if selected.Name != "__typename" {
			write = o.fields[selected.Name](operation, selected.Selections)
		}
		members = append(members, member{`"` + selected.Alias + `":`, write})
	}
	return func(to []byte, value *T) []byte {
		to = append(to, '{')
		for i, member := range members {
			if i > 0 {
				to = append(to, ',')
			}
			to = member.write(append(to, member.key...), value)
		}
		return append(to, '}')
	}
}

func (o object[T]) typename(to []byte, _ *T) []byte { return appendText(to, o.name) }

// list is a field with a list of objects.
func list[T, E any](of object[E], get func(*T) []E) field[T] {
	return func(operation *graphql.OperationContext, below ast.SelectionSet) writer[T] {
		write := of.compile(operation, below)
		return func(to []byte, value *T) []byte {
			to = append(to, '[')
			for i, entry := range get(value) {
				if i > 0 {
					to = append(to, ',')
				}
				to = write(to, &entry)
			}
			return append(to, ']')
		}
	}
}

// leaf is a field that nothing is selected below.
func leaf[T any](write writer[T]) field[T] {
	return func(*graphql.OperationContext, ast.SelectionSet) writer[T] { return write }
}

// text is a field with a text or an enum value.
func text[T any, S ~string](get func(*T) S) field[T] {
	return leaf(func(to []byte, value *T) []byte { return appendText(to, string(get(value))) })
}

// nullable is a field that is null where it is nil.
func nullable[T, V any](write func([]byte, V) []byte, get func(*T) *V) field[T] {
	return leaf(func(to []byte, value *T) []byte {
		if v := get(value); v != nil {
			return write(to, *v)
		}
		return append(to, "null"...)
	})
}

// appendDate writes RFC 3339 in UTC with the digits of the second that the time has.
func appendDate(to []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(to, '"'), time.RFC3339Nano), '"')
}

func appendFloat(to []byte, f float64) []byte { return strconv.AppendFloat(to, f, 'g', -1, 64) }

// appendText writes a JSON string. Nearly every text is one that is copied.
func appendText[S ~string](to []byte, text S) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			to, _ = jsontext.AppendQuote(to, text) // what is no UTF-8 becomes U+FFFD
			return to
		}
	}
	return append(append(append(to, '"'), text...), '"')
}
