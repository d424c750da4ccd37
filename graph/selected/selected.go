// Package selected writes of jobs what an operation selected. The generated executor
// would start a goroutine for each job of a list and make some eighty objects for
// each; here the selection is read once for a list, and each job is written straight
// into the answer. The generated executor hands over by its own rule: a result that
// is a graphql.Marshaler is left to write itself.
//
// Before anything is written it is known how large it will be: what is more than an
// answer may have, see [budget.Budget], is not written at all, and room for the rest
// is made once.
package selected

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/plugin/federation/fedruntime"

	"jobgraph/graph/budget"
	"jobgraph/upstream"
)

// List gives the results of the field that ctx is about, ready to be written.
func List(ctx context.Context, results []upstream.Result) []upstream.Result {
	if len(results) == 0 {
		return results
	}
	return []upstream.Result{&written{results[0], newRow(ctx, results, resultWriter(ctx))}}
}

// One gives the result of the field that ctx is about, ready to be written.
func One(ctx context.Context, result upstream.Result) upstream.Result {
	return List(ctx, []upstream.Result{result})[0]
}

// Entities gives the entities of the field that ctx is about, ready to be written;
// nil ones are null.
func Entities(ctx context.Context, entities []fedruntime.Entity) []fedruntime.Entity {
	if len(entities) == 0 {
		return entities
	}
	write := job.compile(graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field.Selections)
	return []fedruntime.Entity{&writtenEntities{newRow(ctx, entities, writer[fedruntime.Entity]{
		size: func(entity *fedruntime.Entity) int {
			if job, ok := (*entity).(*upstream.Job); ok && job != nil {
				return write.size(job)
			}
			return len("null")
		},
		append: func(to []byte, entity *fedruntime.Entity) []byte {
			if job, ok := (*entity).(*upstream.Job); ok && job != nil {
				return write.append(to, job)
			}
			return append(to, "null"...)
		},
	})}}
}

// Events gives for each result of a subscription the same, ready to be written as the
// whole data of an event.
func Events(ctx context.Context) func(upstream.Result) upstream.Result {
	write, hold := resultWriter(ctx), budget.HoldFrom(ctx)
	key := `{"` + graphql.GetFieldContext(ctx).Field.Alias + `":`
	return func(result upstream.Result) upstream.Result {
		return &event{Result: result, hold: hold, key: key, write: write}
	}
}

// written stands for all the results of a list. The executor writes a list of one in
// place, without a goroutine, and what it writes is all of them with commas between.
type written struct {
	upstream.Result
	row
}

// writtenEntities are the same for references.
type writtenEntities struct{ row }

// IsEntity is gqlgen's mark of what _entities may answer with.
func (*writtenEntities) IsEntity() {}

// resultWriter reads what the field selects of each member of the union.
func resultWriter(ctx context.Context) writer[upstream.Result] {
	operation, set := graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field.Selections
	ofJob, ofError := job.compile(operation, set), apiError.compile(operation, set)
	return writer[upstream.Result]{
		size: func(result *upstream.Result) int {
			switch result := (*result).(type) {
			case *upstream.Job:
				return ofJob.size(result)
			case *upstream.Error:
				return ofError.size(result)
			default:
				panic("selected: neither a job nor an error")
			}
		},
		append: func(to []byte, result *upstream.Result) []byte {
			switch result := (*result).(type) {
			case *upstream.Job:
				return ofJob.append(to, result)
			case *upstream.Error:
				return ofError.append(to, result)
			default:
				panic("selected: neither a job nor an error")
			}
		},
	}
}
