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
	operation := graphql.GetOperationContext(ctx)
	if set := operation.Operation.SelectionSet; operation.Operation.Operation == ast.Query && len(set) > 1 {
		for _, field := range graphql.CollectFields(operation, set, []string{"Query"}) {
			loader.prefetch(ctx, idsOf(field, operation.Variables))
		}
	}
	return next(ctx)
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
