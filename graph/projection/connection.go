package projection

import (
	"context"
	"errors"
	"io"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/vektah/gqlparser/v2/ast"

	"jobgraph/graph/budget"
	"jobgraph/upstream"
)

// Connection is a page of jobs. [Page] makes it ready to be written.
type Connection struct {
	Edges    []Edge
	Nodes    []*upstream.EncodedJob // the edges'
	PageInfo PageInfo

	ready joined
}

// Edge is a job of a page.
type Edge struct {
	Node     *upstream.EncodedJob
	Cursor   string // a JSON string needs no escapes for it
	Username *string
}

// PageInfo says where a page stands.
type PageInfo struct {
	HasNextPage, HasPreviousPage bool
	StartCursor, EndCursor       *string
}

// Page gives the connection of the field that ctx is about, ready to be written; nil for
// none.
func Page(ctx context.Context, c *Connection) *Connection {
	if c == nil {
		return nil
	}
	page := render(c, planOf(ctx, compileConnection))
	answer := budget.HoldFrom(ctx).Answer()
	c.ready = joined{size: page.size(), answer: answer}
	if answer == nil || answer.Reserve(c.ready.size+len(graphql.GetFieldContext(ctx).Field.Alias)+len(`,"":`)) == nil {
		c.ready.write = page.append
	}
	return c
}

// MarshalGQL is gqlgen's.
func (c *Connection) MarshalGQL(w io.Writer) { c.ready.MarshalGQL(w) }

// UnmarshalGQL is gqlgen's mark of what writes itself; no argument has the type.
func (c *Connection) UnmarshalGQL(any) error { return errors.New("this type cannot be used for input") }

// The parts of a page. Each has a writer of its own, as no record holds them.
const (
	partNone = iota
	partEdges
	partNodes
	partPageInfo
	partNode
	partCursor
	partUsername
	partHasNextPage
	partHasPreviousPage
	partStartCursor
	partEndCursor
)

// A part is an object of a page: its fields, and the objects below them.
type part struct {
	name   string
	fields map[string]int
}

var (
	connectionPart = part{"JobConnection", map[string]int{"edges": partEdges, "nodes": partNodes, "pageInfo": partPageInfo}}
	edgePart       = part{"JobEdge", map[string]int{"node": partNode, "cursor": partCursor, "username": partUsername}}
	pageInfoPart   = part{"PageInfo", map[string]int{"hasNextPage": partHasNextPage, "hasPreviousPage": partHasPreviousPage,
		"startCursor": partStartCursor, "endCursor": partEndCursor}}
)

// A partMember is one name of what is selected of a part.
type partMember struct {
	key   string // with the comma before it
	text  string // of a __typename
	part  int
	job   *selection   // of partNode and partNodes
	below []partMember // of partEdges and partPageInfo
}

func (p part) compile(operation *graphql.OperationContext, set ast.SelectionSet) (members []partMember) {
	seen := map[string]bool{}
	for _, selected := range graphql.CollectFields(operation, set, []string{p.name}) {
		if seen[selected.Alias] {
			continue
		}
		seen[selected.Alias] = true
		m := partMember{key: `"` + selected.Alias + `":`, part: p.fields[selected.Name]}
		if len(members) > 0 {
			m.key = "," + m.key
		}
		switch {
		case selected.Name == "__typename":
			m.text = typename(operation, p.name)
		case m.part == partNone: // it would be written as another one
			panic("projection: " + p.name + "." + selected.Name + " has no place in the table of its object")
		case m.part == partNode, m.part == partNodes:
			m.job = job.compile(operation, selected.Selections)
		case m.part == partEdges:
			m.below = edgePart.compile(operation, selected.Selections)
		case m.part == partPageInfo:
			m.below = pageInfoPart.compile(operation, selected.Selections)
		}
		members = append(members, m)
	}
	return members
}

func compileConnection(operation *graphql.OperationContext, set ast.SelectionSet) *plan {
	return &plan{ofConnection: connectionPart.compile(operation, set)}
}

// renderedPage writes a connection as it was selected.
type renderedPage struct {
	*Connection
	members   []partMember
	usernames []string // as JSON
}

func render(c *Connection, p *plan) *renderedPage {
	page := &renderedPage{c, p.ofConnection, make([]string, len(c.Edges))}
	for i, edge := range c.Edges {
		page.usernames[i] = "null"
		if edge.Username != nil {
			quoted, _ := jsontext.AppendQuote(nil, *edge.Username)
			page.usernames[i] = string(quoted)
		}
	}
	return page
}

// size is how many bytes append appends.
func (p *renderedPage) size() int { return p.sizeOf(p.members, -1) }

func (p *renderedPage) append(to []byte) []byte { return p.appendTo(to, p.members, -1) }

// sizeOf is the size of an object: the edge's of that number, or one that is no edge.
func (p *renderedPage) sizeOf(members []partMember, edge int) int {
	size := len("{}")
	for i := range members {
		m := &members[i]
		size += len(m.key)
		switch m.part {
		case partEdges:
			size += len("[]")
			for n := range p.Edges {
				size += p.sizeOf(m.below, n) + min(n, len(`,`))
			}
		case partNodes:
			size += len("[]")
			for n, node := range p.Nodes {
				size += m.job.size(node.Record) + min(n, len(`,`))
			}
		case partNode:
			size += m.job.size(p.Edges[edge].Node.Record)
		case partPageInfo:
			size += p.sizeOf(m.below, edge)
		default:
			size += len(p.text(m, edge))
		}
	}
	return size
}

func (p *renderedPage) appendTo(to []byte, members []partMember, edge int) []byte {
	to = append(to, '{')
	for i := range members {
		m := &members[i]
		to = append(to, m.key...)
		switch m.part {
		case partEdges:
			to = append(to, '[')
			for n := range p.Edges {
				to = p.appendTo(append(to, ","[:min(n, 1)]...), m.below, n)
			}
			to = append(to, ']')
		case partNodes:
			to = append(to, '[')
			for n, node := range p.Nodes {
				to = m.job.append(append(to, ","[:min(n, 1)]...), node.Record)
			}
			to = append(to, ']')
		case partNode:
			to = m.job.append(to, p.Edges[edge].Node.Record)
		case partPageInfo:
			to = p.appendTo(to, m.below, edge)
		default:
			to = append(to, p.text(m, edge)...)
		}
	}
	return append(to, '}')
}

// text is the member's JSON text, where it is neither an object nor a list.
func (p *renderedPage) text(m *partMember, edge int) string {
	switch m.part {
	case partCursor:
		return `"` + p.Edges[edge].Cursor + `"`
	case partUsername:
		return p.usernames[edge]
	case partHasNextPage:
		return strconv.FormatBool(p.PageInfo.HasNextPage)
	case partHasPreviousPage:
		return strconv.FormatBool(p.PageInfo.HasPreviousPage)
	case partStartCursor:
		return cursorText(p.PageInfo.StartCursor)
	case partEndCursor:
		return cursorText(p.PageInfo.EndCursor)
	default:
		return m.text
	}
}

func cursorText(cursor *string) string {
	if cursor == nil {
		return "null"
	}
	return `"` + *cursor + `"`
}
