// Package transport is GraphQL over HTTP: POST and GET to the letter of the
// specification (https://graphql.github.io/graphql-over-http/draft/), and WebSockets
// and event streams for what is told later.
package transport

import (
	"context"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/budget"
)

// HTTP answers POST and GET, and tells every other request what is wrong with it.
// It is the last transport: those of WebSocket and of event streams, which share
// its address, come before it and take what is theirs.
type HTTP struct {
	// DisableGET answers GET with 405.
	DisableGET bool
	// Admission bounds the operations in flight; nil: nothing does.
	Admission *Admission
	// Panicked is told of a panic outside of the resolvers; nil: nobody is told.
	Panicked func(ctx context.Context, value any)
}

var _ graphql.Transport = HTTP{}

// Supports is gqlgen's: see [HTTP] for the order.
func (HTTP) Supports(*http.Request) bool { return true }

// Do is gqlgen's.
func (h HTTP) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	mediaType, acceptable := negotiate(r.Header.Values("Accept"))
	a := answer{w, r, exec, mediaType}
	defer h.recovered(a)
	params, refusal := h.read(r)
	switch {
	case refusal != nil:
		a.refuse(*refusal)
	case !acceptable:
		a.refuse(notAcceptable)
	default:
		h.execute(a, params)
	}
}

func (h HTTP) read(r *http.Request) (*graphql.RawParams, *refusal) {
	switch {
	case r.Method == http.MethodPost:
		return readPost(r)
	case r.Method == http.MethodGet && !h.DisableGET:
		return readGet(r)
	case h.DisableGET:
		return nil, wrongMethod("POST")
	default:
		return nil, wrongMethod("GET, POST")
	}
}

// execute runs the operation. Only a whole request counts as in flight, and only until
// its answer is known: a slow sender or reader takes nobody's place.
func (h HTTP) execute(a answer, params *graphql.RawParams) {
	place, admitted := h.Admission.enter(a.r.Context())
	if !admitted {
		a.refuse(overloaded)
		return
	}
	// The answer's bytes count until the last one is written.
	var hold budget.Hold
	defer hold.Close()
	send := func() func() {
		defer place.leave()
		ctx := context.WithValue(a.r.Context(), placeKey{}, place)
		return run(budget.WithHold(ctx, &hold), a, params)
	}()
	send()
}

// run gives what sends the answer.
func run(ctx context.Context, a answer, params *graphql.RawParams) (send func()) {
	operation, failures := a.exec.CreateOperationContext(ctx, params)
	switch {
	case a.r.Method == http.MethodGet && !isQuery(operation, params):
		return func() { a.refuse(*wrongMethod("POST")) }
	case len(failures) > 0:
		return func() { a.fail(operation, failures) }
	case operation.Operation.Operation == ast.Subscription:
		return func() { a.refuse(needsStream) }
	default:
		responses, ctx := a.exec.DispatchOperation(ctx, operation)
		response := responses(ctx)
		if budget.IsOverloaded(response) {
			return func() { a.writeOverloaded(response) }
		}
		return func() { a.write(http.StatusOK, response) }
	}
}

// isQuery says whether GET may run this. That a mutation came by GET is to be told
// before what else is wrong with it: an operation that could not be created is looked
// for in the document, which is there where the text was parsed, within its limits.
// Nothing is parsed here.
func isQuery(created *graphql.OperationContext, params *graphql.RawParams) bool {
	operation := created.Operation
	if operation == nil && created.Doc != nil {
		operation = created.Doc.Operations.ForName(params.OperationName)
	}
	return operation == nil || operation.Operation == ast.Query
}

func (h HTTP) recovered(a answer) {
	value := recover()
	if value == nil {
		return
	}
	if value == http.ErrAbortHandler {
		panic(value)
	}
	if h.Panicked != nil {
		h.Panicked(a.r.Context(), value)
	}
	failure := &gqlerror.Error{Message: internalMessage, Extensions: map[string]any{"code": "INTERNAL_SERVER_ERROR"}}
	a.write(http.StatusInternalServerError, &graphql.Response{Errors: gqlerror.List{failure}})
}
