package projection

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"jobgraph/upstream"
)

// Plans are the compiled selections of one document, for all who execute it: to compile
// one took a seventh of the time of an answer with ten aliases. They are as few as the
// fields at the top of its operations. The zero value is ready.
type Plans struct{ byField sync.Map } // of planKey, to *plan

// planKey is a field at the top of an operation. Where nothing is skipped or included by a
// variable, it selects the same each time.
type planKey struct {
	operation *ast.OperationDefinition
	field     *ast.Field
}

// plan is what a field selects of a job and of an error, or of a connection.
type plan struct {
	ofJob, ofError *selection
	ofConnection   []partMember
}

const plansKey = "projection.plans"

// Use has the operation's selections compiled once for all operations that use the plans.
// They must be of one document, and it must have no directives.
func (p *Plans) Use(operation *graphql.OperationContext) {
	operation.Stats.SetExtension(plansKey, p)
}

const namesKey = "projection.names"

// UseNames has the operation's __typename tell types by the names that are served, where they
// have others.
func UseNames(operation *graphql.OperationContext, served map[string]string) {
	if len(served) > 0 {
		operation.Stats.SetExtension(namesKey, served)
	}
}

// typename is the text of a __typename.
func typename(operation *graphql.OperationContext, name string) string {
	served, _ := operation.Stats.GetExtension(namesKey).(map[string]string)
	if other, ok := served[name]; ok {
		name = other
	}
	return `"` + name + `"`
}

// planOf is the plan of the field that ctx is about, which compile makes.
func planOf(ctx context.Context, compile func(*graphql.OperationContext, ast.SelectionSet) *plan) *plan {
	operation, field := graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field
	plans, _ := operation.Stats.GetExtension(plansKey).(*Plans)
	if plans == nil {
		return compile(operation, field.Selections)
	}
	key := planKey{operation.Operation, field.Field}
	if known, ok := plans.byField.Load(key); ok {
		return known.(*plan)
	}
	made := compile(operation, field.Selections)
	plans.byField.Store(key, made)
	return made
}

func compileResult(operation *graphql.OperationContext, set ast.SelectionSet) *plan {
	return &plan{ofJob: job.compile(operation, set), ofError: apiError.compile(operation, set)}
}

// itemOf is the result as it is selected.
func (p *plan) itemOf(result upstream.Result) item {
	switch result := result.(type) {
	case *upstream.EncodedJob:
		return item{p.ofJob, result.Record}
	case *upstream.Error:
		return item{p.ofError, result.Encode()}
	default:
		panic("projection: neither a job nor an error")
	}
}
