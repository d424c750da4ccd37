package transport

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/budget"
)

// operation is one GraphQL operation under way.
type operation struct {
	exec      graphql.GraphExecutor
	parsed    *graphql.OperationContext
	ctx       context.Context
	responses graphql.ResponseHandler
	streams   bool
	done      bool
	// stop is to be called when the last response has been written.
	stop func()
}

// begin parses, validates and starts an operation. What is wrong before anything is
// executed is in refused; the operation is nil then. A subscription ends when leaving
// does, a query when ctx does. The bytes of a response count until the next one is
// asked for or the operation is stopped: it must have been written by then.
func begin(ctx, leaving context.Context, exec graphql.GraphExecutor, params *graphql.RawParams) (o *operation, refused *graphql.Response) {
	hold := &budget.Hold{}
	ctx = budget.WithHold(graphql.StartOperationTrace(ctx), hold)
	now := graphql.Now()
	params.ReadTime = graphql.TraceTiming{Start: now, End: now}
	parsed, errs := exec.CreateOperationContext(ctx, params)
	if errs != nil {
		defer hold.Close()
		return nil, exec.DispatchError(graphql.WithOperationContext(ctx, parsed), errs)
	}
	o = &operation{exec: exec, parsed: parsed, ctx: ctx, stop: hold.Close}
	o.streams = parsed.Operation.Operation == ast.Subscription
	if o.streams {
		var cancel context.CancelFunc
		o.ctx, cancel = context.WithCancel(ctx)
		unhook := context.AfterFunc(leaving, cancel)
		o.stop = func() { unhook(); cancel(); hold.Close() }
	}
	defer func() {
		if r := recover(); r != nil {
			o.stop()
			o, refused = nil, o.panicked(r)
		}
	}()
	o.responses, o.ctx = exec.DispatchOperation(o.ctx, parsed)
	return o, nil
}

// next is nil after the last response. A panic is the last response.
func (o *operation) next() (response *graphql.Response) {
	if o.done {
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			o.done = true
			response = o.panicked(r)
		}
	}()
	response = o.responses(o.ctx)
	// A query has one answer.
	o.done = response == nil || !o.streams
	return response
}

// panicked leaves to the error presenter what a client may know of a panic.
func (o *operation) panicked(value any) *graphql.Response {
	ctx := graphql.WithOperationContext(o.ctx, o.parsed)
	return o.exec.DispatchError(ctx, gqlerror.List{gqlerror.Wrap(o.parsed.Recover(ctx, value))})
}
