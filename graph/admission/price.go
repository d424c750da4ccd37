package admission

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
)

// What a gateway takes an operation to cost, as schema.graphqls tells it by @cost and
// @listSize: an object of an answer weighs 1, a leaf nothing, and a job what its call does.
// A list's length is assumed where only the executor knows it.
const (
	// callWeight is the weight of what one call of the job API gives.
	callWeight = 10
	// assumedIDs is how many ids a gateway takes a list of them to have. The guard counts them.
	assumedIDs = 10
	// assumedSize is how long a list is taken to be whose length nobody knows
	// before the job has been fetched: a job's return targets and options.
	assumedSize = 5
)

// A price is what one field adds to an operation's cost.
type price struct {
	weight int // of each entry; 0: that of its type
	size   int // of the list, for who cannot know it; 0: it is no list
}

// prices are by the field's name, which has one meaning in the schema.
var prices = map[string]price{
	"job":           {callWeight, assumedIDs},
	"jobById":       {weight: callWeight},
	"jobUpdated":    {weight: callWeight},
	"jobs":          {weight: callWeight}, // a call, or a few: its jobs are free
	"nodes":         {weight: 1},
	"node":          {weight: 1},
	"returnTargets": {size: assumedSize},
	"options":       {size: assumedSize},
}

// entryWeight is the weight of each entry of a field. References are jobs.
func entryWeight(field string, isObject bool) int {
	switch weight := prices[field].weight; {
	case field == "_entities":
		return callWeight
	case weight > 0:
		return weight
	case isObject:
		return 1
	default:
		return 0
	}
}

// Price is what an operation costs, list lengths as they were asked for.
type Price struct {
	// Cost is the sum of the weights.
	Cost int
	// UpstreamCalls is how many calls of the job API it may cause at most.
	UpstreamCalls int
}

// PriceHeader is the header of a request that wants to know its price, whatever its value.
const PriceHeader = "JobGraph-Cost"

// priceKey is where an operation has its price, in the operation's stats.
const priceKey = "admission.price"

func notePrice(ctx context.Context, p Price) {
	graphql.GetOperationContext(ctx).Stats.SetExtension(priceKey, p)
}

// PriceOf is the price of an operation that was measured and wanted to know; of another one
// ok is false.
func PriceOf(operation *graphql.OperationContext) (p Price, ok bool) {
	p, ok = operation.Stats.GetExtension(priceKey).(Price)
	return p, ok
}
