package admission

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/errcode"
	"jobgraph/upstream/paging"
)

// checkCost checks one request of a known document: how long its lists are, and
// what that comes to. It only counts: the variables' entries are not looked at.
func (g *Guard) checkCost(ctx context.Context, operation *ast.OperationDefinition, m *operationStats, params *graphql.RawParams) gqlerror.List {
	variables := params.Variables
	calls, fields, cost := 0, 0, 0
	for _, root := range m.roots {
		length := g.sizes.of(root.name)
		switch {
		case root.list != nil:
			length = listLength(root.list, variables, operation)
			if refusal := g.checkLength(root.name, length); refusal != nil {
				return refusal
			}
			calls = addSat(calls, length)
			cost = addSat(cost, mulSat(length, root.weight))
			length = addSat(length, oversizeWeight(root.list, variables, operation))
		case root.page:
			length = g.sizes.pageLength(root.first, variables, operation)
			if length < 1 || length > g.limits.IDs {
				return refused(errcode.BadUserInput, "first is %d, and must be 1 to %d.", length, g.limits.IDs)
			}
			calls = addSat(calls, paging.MaxCalls)
			cost = addSat(cost, addSat(addSat(callWeight, root.once), mulSat(length, root.weight-callWeight)))
		default:
			cost = addSat(cost, root.weight)
		}
		fields = addSat(fields, addSat(1, mulSat(length, root.fields)))
	}
	if params.Headers.Get(PriceHeader) != "" {
		notePrice(ctx, Price{cost, calls})
	}
	switch {
	case calls > g.limits.UpstreamCalls:
		return tooComplex("The operation asks for %d jobs, %d are allowed, and a page counts as %d. Ask in several operations.", calls, g.limits.UpstreamCalls, paging.MaxCalls)
	case fields > g.limits.ResponseFields:
		return tooComplex("The answer could have %d fields, %d are allowed. Ask for fewer jobs or fields at a time.", fields, g.limits.ResponseFields)
	}
	g.weigh(ctx, len(m.roots), addSat(fields, m.introspectionFields))
	return nil
}

func (g *Guard) checkLength(field string, length int) gqlerror.List {
	switch {
	case field == "_entities" && length > g.limits.Representations:
		return refused(errcode.BadUserInput, "%d representations were sent in one field, %d are allowed. Send them in several operations.", length, g.limits.Representations)
	case field != "_entities" && length > g.limits.IDs:
		return refused(errcode.BadUserInput, "%d ids were asked in one field, %d are allowed. Ask in several operations.", length, g.limits.IDs)
	}
	return nil
}

func tooComplex(format string, args ...any) gqlerror.List {
	return refused(errcode.ComplexityLimitExceeded, format, args...)
}

// refused is the one error of an operation that is not run. Its text never holds
// anything that the request brought.
func refused(code, format string, args ...any) gqlerror.List {
	return gqlerror.List{errcode.New(code, format, args...)}
}
