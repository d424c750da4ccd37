package projection

import (
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"jobgraph/upstream"
)

// An object is one of the schema's object types. Its values are records.
type object struct {
	name string
	// conditions are the types that a fragment on this object may name.
	conditions []string
	fields     map[string]field
}

// A field is a field of a record.
type field struct {
	n       int
	entries *object // of a list; nil: it is none
}

// A selection is what is selected of a record.
type selection struct {
	members []member
	fixed   int // the size of what is written of every record
}

// A member is one name of a selection and where its value comes from.
type member struct {
	key     string     // with the comma before it
	text    string     // of a __typename; "": the value is a field's
	n       int        // the field
	entries *selection // of a list; nil: the field is copied
}

// compile reads the selection as the executor does: fragments, @skip and @include,
// fields of one name together.
func (o object) compile(operation *graphql.OperationContext, set ast.SelectionSet) *selection {
	s := &selection{fixed: len("{}")}
	seen := map[string]bool{}
	for _, selected := range graphql.CollectFields(operation, set, o.conditions) {
		if seen[selected.Alias] { // __typename of the union and of the member
			continue
		}
		seen[selected.Alias] = true
		m := member{key: `"` + selected.Alias + `":`}
		if len(s.members) > 0 {
			m.key = "," + m.key
		}
		field, known := o.fields[selected.Name]
		switch {
		case selected.Name == "__typename":
			m.text = typename(operation, o.name)
		case !known: // it would be written as another one
			panic("projection: " + o.name + "." + selected.Name + " has no place in the table of its object")
		case field.entries != nil:
			m.n, m.entries = field.n, field.entries.compile(operation, selected.Selections)
		default:
			m.n = field.n
		}
		s.members = append(s.members, m)
		s.fixed += len(m.key) + len(m.text)
	}
	return s
}

// size is how many bytes append appends.
func (s *selection) size(record upstream.Record) int {
	size := s.fixed
	for i := range s.members {
		switch m := &s.members[i]; {
		case m.text != "":
		case m.entries != nil:
			size += m.entries.listSize(record, m.n)
		default:
			size += len(value(record, m.n))
		}
	}
	return size
}

func (s *selection) listSize(record upstream.Record, n int) int {
	size := len("[]")
	comma := 0
	for entry := range record.Entries(n) {
		size += comma + s.size(entry)
		comma = len(",")
	}
	return size
}

// append writes what is selected of the record as JSON.
func (s *selection) append(to []byte, record upstream.Record) []byte {
	to = append(to, '{')
	for i := range s.members {
		m := &s.members[i]
		to = append(append(to, m.key...), m.text...)
		switch {
		case m.text != "":
		case m.entries != nil:
			to = m.entries.appendList(to, record, m.n)
		default:
			to = append(to, value(record, m.n)...)
		}
	}
	return append(to, '}')
}

func (s *selection) appendList(to []byte, record upstream.Record, n int) []byte {
	to = append(to, '[')
	comma := ""
	for entry := range record.Entries(n) {
		to = s.append(append(to, comma...), entry)
		comma = ","
	}
	return append(to, ']')
}

// value is the field's JSON text.
func value(record upstream.Record, n int) string {
	if text := record.Field(n); text != "" {
		return text
	}
	return "null"
}
