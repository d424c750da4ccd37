package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/plugin/federation/fedruntime"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/selected"
)

// references checks what a gateway sends to _entities before gqlgen's own code
// sees it, which answers one bad representation by failing all of them.
type references struct{}

func (references) ExtensionName() string                          { return "references" }
func (references) Validate(schema graphql.ExecutableSchema) error { return nil }

// MutateOperationContext refuses representations that are no objects. When _entities
// is resolved it makes the others regular, and what they gave ready to be written.
func (references) MutateOperationContext(_ context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	if !strings.Contains(operation.RawQuery, "_entities") {
		return nil
	}
	for _, field := range graphql.CollectFields(operation, operation.Operation.SelectionSet, []string{"Query"}) {
		if field.Name != "_entities" {
			continue
		}
		list, _ := field.ArgumentMap(operation.Variables)["representations"].([]any)
		for i, representation := range list {
			if _, ok := representation.(map[string]any); !ok {
				return &gqlerror.Error{
					Message:    fmt.Sprintf("Representation %d is not an object. %s", i, representationForm),
					Extensions: map[string]any{"code": codeBadUserInput},
				}
			}
		}
	}
	next := operation.ResolverMiddleware
	operation.ResolverMiddleware = func(ctx context.Context, resolve graphql.Resolver) (any, error) {
		field := graphql.GetFieldContext(ctx)
		if field.Field.Name != "_entities" {
			return next(ctx, resolve)
		}
		representations, _ := field.Args["representations"].([]map[string]any)
		for i := range representations {
			representations[i] = regular(representations[i])
		}
		resolved, err := next(ctx, resolve)
		if entities, ok := resolved.([]fedruntime.Entity); ok {
			resolved = selected.Entities(ctx, entities)
		}
		return resolved, err
	}
	return nil
}

// regular keeps the id of a reference to a Job. Anything else becomes a reference
// with an empty id, which gets an error at its own path.
func regular(representation map[string]any) map[string]any {
	id := ""
	if representation["__typename"] == "Job" {
		switch key := representation["id"].(type) {
		case string:
			id = key
		case json.Number:
			id = key.String()
		}
	}
	return map[string]any{"__typename": "Job", "id": id}
}
