package projection

import (
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"jobgraph/upstream"
)

// Item is what is selected of a record; the zero one is null.
type Item struct{ item }

func (i Item) Size() int               { return i.size() }
func (i Item) Append(to []byte) []byte { return i.append(to) }

// ItemOf is a record and what the set selects of it.
func ItemOf(operation *graphql.OperationContext, set ast.SelectionSet, isError bool, record upstream.Record) Item {
	of := job
	if isError {
		of = apiError
	}
	return Item{item{of.compile(operation, set), record}}
}

// PageSize is how large the connection is, and what is written of it.
func PageSize(operation *graphql.OperationContext, set ast.SelectionSet, c *Connection) (size int, written string) {
	page := render(c, compileConnection(operation, set))
	return page.size(), string(page.append(nil))
}
