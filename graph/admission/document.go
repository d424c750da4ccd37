package admission

import (
	"context"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"jobgraph/graph/errcode"
	"jobgraph/graph/projection"
)

// A document is a query text that is parsed, within the limits that need no
// variables, and valid. It is shared by all operations of that text: nobody
// changes it.
type document struct {
	parsed *ast.QueryDocument
	stats  *stats
	plans  projection.Plans
}

// nodeWeight and fieldWeight are about how many bytes a document keeps for each node of its
// tree, 220 to 300 were measured, and for each field of an answer in its plans. A fragment
// is in the tree once, and in the plan of each field that spreads it.
const nodeWeight, fieldWeight = 300, 112

// weight is about how many bytes the document keeps, its plans among them.
func (d *document) weight(text string) uint32 {
	fields := 0
	for _, operation := range d.stats.operations {
		for _, root := range operation.roots {
			fields = addSat(fields, root.fields)
		}
	}
	fields = min(fields, maxDocumentBytes/fieldWeight) // more is not kept
	return uint32(2*len(text) + nodeWeight*(d.stats.nodes+1) + fieldWeight*fields)
}

// read gives the text's document, from the cache where it is known. Limits come
// before validation, whose cost is quadratic in what they bound. Where the text could
// be parsed, the document is there beside what is wrong with it.
func (g *Guard) read(ctx context.Context, text string) (*document, gqlerror.List) {
	if known, ok := g.documents.GetIfPresent(text); ok {
		return known, nil
	}
	select {
	case g.parsing <- struct{}{}:
		defer func() { <-g.parsing }()
	case <-ctx.Done():
		return nil, gqlerror.List{errcode.New(errcode.Overloaded, "This server had too many other texts to read before the request ended. Try again in a moment.")}
	}
	parsed, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, g.limits.Tokens)
	if err != nil {
		return nil, gqlerror.List{g.parseFailed(err)}
	}
	if len(parsed.Operations) == 0 {
		return nil, refused(errcode.ValidationFailed, "The document has no operation. Send one such as { __typename }.")
	}
	read := &document{parsed: parsed, stats: measureDocument(parsed, g.sizes)}
	if refusal := g.checkText(read.stats); refusal != nil {
		return read, refusal
	}
	if failures := g.validate(parsed); len(failures) > 0 {
		return read, failures
	}
	g.useOwnNames(parsed)
	g.documents.Set(text, read)
	return read, nil
}

// maxNameBytes bounds aliases, which an answer repeats, and every other name, which
// validation compares with those of the schema.
const maxNameBytes = 128

// checkText checks what does not depend on the variables nor on the operation.
func (g *Guard) checkText(m *stats) gqlerror.List {
	switch {
	case m.introspects && !g.introspection:
		return refused(errcode.ValidationFailed, "Introspection is off on this server.")
	case m.asksSDL && !g.introspection && !g.subgraphSDL:
		return refused(errcode.ValidationFailed, "The subgraph's schema is not shown on this server.")
	case (m.introspects || m.asksSDL) && m.aliases > maxIntrospectionAliases:
		return tooComplex("A query that asks for the schema may have %d aliases and repeated fields, this one has %d.", maxIntrospectionAliases, m.aliases)
	case m.aliases > g.limits.Aliases:
		return tooComplex("The query has %d aliases and repeated fields, %d are allowed. Ask in several operations.", m.aliases, g.limits.Aliases)
	case m.longestName > maxNameBytes:
		return tooComplex("A name in the query has %d bytes, %d are allowed.", m.longestName, maxNameBytes)
	case m.directives > g.limits.Directives:
		return tooComplex("The query has %d directives, %d are allowed. Leave some out.", m.directives, g.limits.Directives)
	}
	for _, operation := range m.operations {
		if refusal := g.checkOperation(operation); refusal != nil {
			return refusal
		}
	}
	return nil
}

// Introspection nests deeper than jobs do: the standard query has 13 to 15 levels,
// by the tool that asks, about 350 fields for each type of the schema, and no
// aliases. Its answer is 43 KB: it is let through once, not many times over.
const (
	maxIntrospectionDepth         = 20
	maxIntrospectionFieldsPerType = 500
	maxIntrospectionAliases       = 3
)

func (g *Guard) checkOperation(m *operationStats) gqlerror.List {
	maxIntrospectionFields := maxIntrospectionFieldsPerType * g.sizes.of("types")
	switch {
	case m.depth > g.limits.Depth:
		return tooComplex("The query nests fields %d deep, %d is allowed.", m.depth, g.limits.Depth)
	case m.introspectionDepth > maxIntrospectionDepth:
		return tooComplex("The introspection nests fields %d deep, %d is allowed.", m.introspectionDepth, maxIntrospectionDepth)
	case m.introspectionFields > maxIntrospectionFields:
		return tooComplex("The introspection could answer with %d fields, %d are allowed.", m.introspectionFields, maxIntrospectionFields)
	case len(m.roots) > g.limits.RootFields:
		return tooComplex("The operation has %d fields at its top, %d are allowed. Ask in several operations.", len(m.roots), g.limits.RootFields)
	}
	return nil
}

// useOwnNames has the fragments of a valid document name the types as the executor does.
func (g *Guard) useOwnNames(parsed *ast.QueryDocument) {
	if len(g.own) == 0 {
		return
	}
	for _, operation := range parsed.Operations {
		g.useOwnNamesIn(operation.SelectionSet)
	}
	for _, fragment := range parsed.Fragments {
		g.useOwnName(&fragment.TypeCondition)
		g.useOwnNamesIn(fragment.SelectionSet)
	}
}

func (g *Guard) useOwnNamesIn(set ast.SelectionSet) {
	for _, selection := range set {
		switch selection := selection.(type) {
		case *ast.Field:
			g.useOwnNamesIn(selection.SelectionSet)
		case *ast.InlineFragment:
			g.useOwnName(&selection.TypeCondition)
			g.useOwnNamesIn(selection.SelectionSet)
		}
	}
}

func (g *Guard) useOwnName(condition *string) {
	if own, ok := g.own[*condition]; ok {
		*condition = own
	}
}
