package admission

import (
	"context"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"golang.org/x/sync/semaphore"

	"jobgraph/graph/budget"
)

const (
	// fieldsOfOne is how many fields of an answer take the place of one operation more.
	fieldsOfOne = 1000
	// heavyWait is how long a heavy operation waits for its turn.
	heavyWait = 20 * time.Millisecond
)

// heavyKey is where an operation's weight is in its stats, where it has one.
const heavyKey = "admission.heavy"

// heavy bounds what operations that are executed take beyond what each may: the
// executor starts a goroutine for each field at the top, and the processor is busy with
// each field of an answer. Such operations take turns among themselves: no other one
// waits for them. An answer that is shared or kept takes no turn.
type heavy struct {
	size  int64
	turns *semaphore.Weighted
}

func newHeavy(size int) heavy { return heavy{int64(size), semaphore.NewWeighted(int64(size))} }

// weigh notes what the operation takes beyond one field with a thousand below it.
func (h heavy) weigh(ctx context.Context, roots, fields int) {
	if weight := min(int64(max(roots-1, 0)+fields/fieldsOfOne), h.size); weight > 0 {
		graphql.GetOperationContext(ctx).Stats.SetExtension(heavyKey, weight)
	}
}

// execute takes the operation's turn, or refuses it.
func (h heavy) execute(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	weight := weightOf(ctx)
	if weight == 0 {
		return next(ctx)
	}
	waiting, cancel := context.WithTimeout(ctx, heavyWait)
	defer cancel()
	if h.turns.Acquire(waiting, weight) != nil {
		return budget.Overloaded("This server has too many operations of this size under way. Try again in a moment, or ask for less at a time.")
	}
	defer h.turns.Release(weight)
	return next(ctx)
}

// weightOf is 0 where no turn is taken.
func weightOf(ctx context.Context) int64 {
	weight, _ := graphql.GetOperationContext(ctx).Stats.GetExtension(heavyKey).(int64)
	return weight
}
