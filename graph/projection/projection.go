// Package projection writes of jobs what an operation selected. The generated executor
// would start a goroutine for each job of a list and make some eighty objects for
// each; here the selection is read once for a list, and each job is written straight
// into the answer. The generated executor hands over by its own rule: a result that
// is a graphql.Marshaler is left to write itself. What it writes are the texts of records,
// see [upstream.Record]: a compiled selection is a list of keys and field numbers.
//
// Before anything is written it is known how large it will be: what is more than an
// answer may have, see [budget.Budget], is not written at all, and room for the rest
// is made once.
package projection

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
	plan := planOf(ctx, compileResult)
	items := make([]item, len(results))
	for i, result := range results {
		items[i] = plan.itemOf(result)
	}
	return []upstream.Result{&rendered{results[0], join(ctx, items)}}
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
	ofJob := planOf(ctx, compileResult).ofJob
	items := make([]item, len(entities))
	for i, entity := range entities {
		if job, ok := entity.(*upstream.EncodedJob); ok && job != nil {
			items[i] = item{ofJob, job.Record}
		}
	}
	return []fedruntime.Entity{&renderedEntities{join(ctx, items)}}
}

// Events gives for each result of a subscription the same, ready to be written as the
// whole data of an event.
func Events(ctx context.Context) func(upstream.Result) upstream.Result {
	plan, hold := planOf(ctx, compileResult), budget.HoldFrom(ctx)
	key := `{"` + graphql.GetFieldContext(ctx).Field.Alias + `":`
	return func(result upstream.Result) upstream.Result {
		return &event{Result: result, hold: hold, key: key, item: plan.itemOf(result)}
	}
}

// rendered stands for all the results of a list. The executor writes a list of one in
// place, without a goroutine, and what it writes is all of them with commas between.
type rendered struct {
	upstream.Result
	joined
}

// renderedEntities are the same for references.
type renderedEntities struct{ joined }

// IsEntity is gqlgen's mark of what _entities may answer with.
func (*renderedEntities) IsEntity() {}

// item is a record and what is selected of it. The zero item is null.
type item struct {
	selection *selection
	record    upstream.Record
}

func (i item) size() int {
	if i.selection == nil {
		return len("null")
	}
	return i.selection.size(i.record)
}

func (i item) append(to []byte) []byte {
	if i.selection == nil {
		return append(to, "null"...)
	}
	return i.selection.append(to, i.record)
}
