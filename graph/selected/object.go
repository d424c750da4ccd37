package selected

import (
	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/vektah/gqlparser/v2/ast"
)

// A writer writes what is selected of a value as JSON.
type writer[T any] struct {
	// size is how many bytes are appended at most: room is made for so many.
	size   func(value *T) int
	append func(to []byte, value *T) []byte
}

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
		value writer[T]
	}
	var members []member
	fixed := len("{}")
	seen := map[string]bool{}
	for _, selected := range graphql.CollectFields(operation, set, o.conditions) {
		if seen[selected.Alias] { // __typename of the union and of the member
			continue
		}
		seen[selected.Alias] = true
		value := o.typename()
		if selected.Name != "__typename" {
			value = o.fields[selected.Name](operation, selected.Selections)
		}
		key := `"` + selected.Alias + `":`
		members = append(members, member{key, value})
		fixed += len(key) + len(",")
	}
	return writer[T]{
		size: func(value *T) int {
			size := fixed
			for i := range members {
				size += members[i].value.size(value)
			}
			return size
		},
		append: func(to []byte, value *T) []byte {
			to = append(to, '{')
			for i := range members {
				if i > 0 {
					to = append(to, ',')
				}
				to = members[i].value.append(append(to, members[i].key...), value)
			}
			return append(to, '}')
		},
	}
}

func (o object[T]) typename() writer[T] {
	return writer[T]{
		size:   func(*T) int { return textSize(o.name) },
		append: func(to []byte, _ *T) []byte { return appendText(to, o.name) },
	}
}

// list is a field with a list of objects.
func list[T, E any](of object[E], get func(*T) []E) field[T] {
	return func(operation *graphql.OperationContext, below ast.SelectionSet) writer[T] {
		entry := of.compile(operation, below)
		return writer[T]{
			size: func(value *T) int {
				entries := get(value)
				size := len("[]") + len(entries)
				for i := range entries {
					size += entry.size(&entries[i])
				}
				return size
			},
			append: func(to []byte, value *T) []byte {
				entries := get(value)
				to = append(to, '[')
				for i := range entries {
					if i > 0 {
						to = append(to, ',')
					}
					to = entry.append(to, &entries[i])
				}
				return append(to, ']')
			},
		}
	}
}

// leaf is a field that nothing is selected below.
func leaf[T any](size func(*T) int, write func([]byte, *T) []byte) field[T] {
	w := writer[T]{size, write}
	return func(*graphql.OperationContext, ast.SelectionSet) writer[T] { return w }
}

// text is a field with a text or an enum value.
func text[T any, S ~string](get func(*T) S) field[T] {
	return leaf(
		func(value *T) int { return textSize(string(get(value))) },
		func(to []byte, value *T) []byte { return appendText(to, string(get(value))) })
}

// raw is a field with JSON.
func raw[T any](get func(*T) jsontext.Value) field[T] {
	return leaf(
		func(value *T) int { return len(get(value)) },
		func(to []byte, value *T) []byte { return append(to, get(value)...) })
}

// optional is a field that is null where it is nil.
func optional[T, V any](of scalar[V], get func(*T) *V) field[T] {
	return leaf(
		func(value *T) int {
			if v := get(value); v != nil {
				return of.size(*v)
			}
			return len("null")
		},
		func(to []byte, value *T) []byte {
			if v := get(value); v != nil {
				return of.append(to, *v)
			}
			return append(to, "null"...)
		})
}
