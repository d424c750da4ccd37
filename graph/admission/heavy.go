package admission

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
)

// fieldsOfOne is how many fields of an answer take the place of one operation more: where
// --max-inflight is its default, two answers of 20,000 fields are made at the same time.
const fieldsOfOne = 250

// weightKey is where an operation's weight is in its stats, where it has one.
const weightKey = "admission.weight"

// weigh notes what the operation takes beyond one field with some hundred below it: the
// executor starts a goroutine for each field at the top, and the processor is busy with
// each field of an answer. Such operations take turns among themselves, and no other one
// waits for them.
func (g *Guard) weigh(ctx context.Context, roots, fields int) {
	if weight := min(max(roots-1, 0)+fields/fieldsOfOne, g.maxWeight); weight > 0 {
		graphql.GetOperationContext(ctx).Stats.SetExtension(weightKey, weight)
	}
}

// weightOf is 0 where no turn is taken.
func weightOf(ctx context.Context) int {
	weight, _ := graphql.GetOperationContext(ctx).Stats.GetExtension(weightKey).(int)
	return weight
}
