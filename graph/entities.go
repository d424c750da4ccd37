package graph

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/plugin/federation/fedruntime"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/errcode"
	"jobgraph/graph/projection"
	"jobgraph/upstream"
)

// All of _entities that is ours, in the order in which a reference meets it: validate,
// normalize, resolve, fail.

// representationForm names no type: the schema may be hidden.
const representationForm = "Send objects with __typename and the fields of the entity's key."

// representations checks what a gateway sends to _entities before gqlgen's own code
// sees it, which answers one bad representation by failing all of them.
type representations struct{ entity string } // the name by which Job is served

func (representations) ExtensionName() string                          { return "representations" }
func (representations) Validate(schema graphql.ExecutableSchema) error { return nil }

// MutateOperationContext refuses representations that are no objects. When _entities
// is resolved it normalizes the others, and has what they resolve to written by the projection.
func (r representations) MutateOperationContext(_ context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	if !strings.Contains(operation.RawQuery, "_entities") {
		return nil
	}
	for _, field := range graphql.CollectFields(operation, operation.Operation.SelectionSet, []string{"Query"}) {
		if field.Name != "_entities" {
			continue
		}
		value := field.ArgumentMap(operation.Variables)["representations"]
		list, ok := value.([]any)
		if !ok {
			list = []any{value} // as the specification coerces it
		}
		for i, representation := range list {
			if _, ok := representation.(map[string]any); !ok {
				return errcode.New(errcode.BadUserInput, "Representation %d is not an object. %s", i, representationForm)
			}
		}
	}
	next := operation.ResolverMiddleware
	operation.ResolverMiddleware = func(ctx context.Context, resolve graphql.Resolver) (any, error) {
		field := graphql.GetFieldContext(ctx)
		if field.Field.Name != "_entities" {
			return next(ctx, resolve)
		}
		list, _ := field.Args["representations"].([]map[string]any)
		for i := range list {
			list[i] = r.normalize(list[i])
		}
		resolved, err := next(ctx, resolve)
		if entities, ok := resolved.([]fedruntime.Entity); ok {
			resolved = projection.Entities(ctx, entities)
		}
		return resolved, err
	}
	return nil
}

// normalize leaves the key of a reference to a Job, the id where it has both. Anything else
// becomes a reference with an empty id, which gets an error at its own path.
func (r representations) normalize(representation map[string]any) map[string]any {
	if representation["__typename"] == r.entity {
		for _, key := range []string{"id", "externalId"} {
			if value := keyOf(representation[key]); value != "" {
				return map[string]any{"__typename": "Job", key: value}
			}
		}
	}
	return map[string]any{"__typename": "Job", "id": ""}
}

func keyOf(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	default:
		return ""
	}
}

// entities is what a gateway gets for its references: a job that does not exist
// is null, any other failure is null with an error at that reference's path.
func entities(results []upstream.Result, err error) ([]*upstream.EncodedJob, error) {
	if err != nil {
		return nil, err
	}
	jobs := make([]*upstream.EncodedJob, len(results))
	failures := make(graphql.BatchErrorList, len(results))
	failed := false
	for i, result := range results {
		switch result := result.(type) {
		case *upstream.EncodedJob:
			jobs[i] = result
		case *upstream.Error:
			if result.Type != upstream.ItemNotFound {
				failures[i], failed = referenceError(result), true
			}
		}
	}
	if failed {
		return jobs, failures
	}
	return jobs, nil
}

// referenceError tells a gateway why a reference has no job.
func referenceError(e *upstream.Error) error {
	if e.JobID == "" {
		return &publicError{code: string(upstream.InvalidQuery),
			message: "The representation is no reference to an entity of this subgraph. " + representationForm}
	}
	return shownError(e)
}

// shownError is for what failed as a whole.
func shownError(e *upstream.Error) error {
	retryable := e.Retryable()
	return &publicError{code: string(e.Type), message: e.Comment,
		retryable: &retryable, retryAfter: e.RetryAfterSeconds()}
}
