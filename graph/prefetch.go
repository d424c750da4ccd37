package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// prefetch has the ids of all fields of a query in one batch. The executor resolves
// each field in a goroutine, which would make a batch of its own. It must come last: what
// is loaded belongs to the operation's answer.
func prefetch(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	loader := loaderFrom(ctx)
	if loader == nil { // it is not executed
		return next(ctx)
	}
	operation := graphql.GetOperationContext(ctx).Operation
	if operation.Operation == ast.Query && len(operation.SelectionSet) > 1 {
		loader.prefetchFields(ctx)
	}
	return next(ctx)
}

func (l *loader) prefetchFields(ctx context.Context) {
	operation := graphql.GetOperationContext(ctx)
	for _, field := range graphql.CollectFields(operation, operation.Operation.SelectionSet, []string{"Query"}) {
		l.prefetch(ctx, idsOf(field, operation.Variables))
	}
}

// idsOf is what the field loads. Ids in any but their usual form are left to the field.
func idsOf(field graphql.CollectedField, variables map[string]any) (ids []string) {
	switch field.Name {
	case "job":
		list, _ := field.ArgumentMap(variables)["ids"].([]any)
		for _, value := range list {
			if id, ok := value.(string); ok {
				ids = append(ids, id)
			}
		}
	case "jobById":
		if id, ok := field.ArgumentMap(variables)["id"].(string); ok {
			ids = append(ids, id)
		}
	}
	return ids
}
