// Package selected writes of jobs what an operation selected. The generated executor
// would start a goroutine for each job of a list and make some eighty objects for
// each; here the selection is read once for a list, and each job is written straight
// into the answer. The generated executor hands over by its own rule: a result that
// is a graphql.Marshaler is left to write itself.
package selected

import (
	"context"
	"io"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/plugin/federation/fedruntime"

	"jobgraph/upstream"
)

// List gives the results of the field that ctx is about, ready to be written.
func List(ctx context.Context, results []upstream.Result) []upstream.Result {
	if len(results) == 0 {
		return results
	}
	return []upstream.Result{&written{results[0], inRow(results, writeResult(ctx))}}
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
	writeJob := job.compile(graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field.Selections)
	return []fedruntime.Entity{&writtenEntities{inRow(entities, func(to []byte, entity fedruntime.Entity) []byte {
		if job, ok := entity.(*upstream.Job); ok && job != nil {
			return writeJob(to, job)
		}
		return append(to, "null"...)
	})}}
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

// row gives values with commas between.
type row func() []byte

// MarshalGQL is gqlgen's.
func (r row) MarshalGQL(w io.Writer) {
	_, _ = w.Write(r()) // into the executor's buffer, which takes all
}

// averageSize is about how many bytes one job has where some fields are selected.
const averageSize = 256

func inRow[T any](values []T, write func(to []byte, value T) []byte) row {
	return func() []byte {
		to := make([]byte, 0, averageSize*len(values))
		for i, value := range values {
			if i > 0 {
				to = append(to, ',')
			}
			to = write(to, value)
		}
		return to
	}
}

// writeResult reads what the field selects of each member of the union.
func writeResult(ctx context.Context) func(to []byte, result upstream.Result) []byte {
	operation, set := graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field.Selections
	writeJob, writeError := job.compile(operation, set), apiError.compile(operation, set)
	return func(to []byte, result upstream.Result) []byte {
		switch result := result.(type) {
		case *upstream.Job:
			return writeJob(to, result)
		case *upstream.Error:
			return writeError(to, result)
		default:
			panic("selected: neither a job nor an error")
		}
	}
}
