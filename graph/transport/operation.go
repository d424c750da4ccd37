package transport

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/budget"
	"jobgraph/upstream"
)

// operation is one GraphQL operation under way.
type operation struct {
	exec      graphql.GraphExecutor
	parsed    *graphql.OperationContext // nil until the text was parsed
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
	o = &operation{exec: exec, stop: hold.Close}
	o.ctx = budget.WithHold(graphql.StartOperationTrace(ctx), hold)
	defer func() {
		if r := recover(); r != nil {
			o.stop()
			o, refused = nil, o.panicked(r)
		}
	}()
	now := graphql.Now()
	params.ReadTime = graphql.TraceTiming{Start: now, End: now}
	parsed, errs := exec.CreateOperationContext(o.ctx, params)
	o.parsed = parsed
	if errs != nil {
		defer hold.Close()
		return nil, exec.DispatchError(graphql.WithOperationContext(o.ctx, parsed), errs)
	}
	o.streams = parsed.Operation.Operation == ast.Subscription
	if o.streams {
		var cancel context.CancelFunc
		o.ctx, cancel = context.WithCancel(o.ctx)
		unhook := context.AfterFunc(leaving, cancel)
		o.stop = func() { unhook(); cancel(); hold.Close() }
	}
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
	ctx := o.ctx
	if o.parsed != nil {
		ctx = graphql.WithOperationContext(ctx, o.parsed)
	}
	return o.exec.DispatchError(ctx, gqlerror.List{gqlerror.Wrap(upstream.PanicError(value))})
}
