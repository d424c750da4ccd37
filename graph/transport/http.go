// Package transport is GraphQL over HTTP: POST and GET to the letter of the
// specification (https://graphql.github.io/graphql-over-http/draft/), and WebSockets
// and event streams for what is told later.
package transport

import (
	"context"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/admission"
	"jobgraph/graph/budget"
	"jobgraph/graph/errcode"
	"jobgraph/graph/responsecache"
)

// HTTP answers POST and GET, and tells every other request what is wrong with it.
// It is the last transport: those of WebSocket and of event streams, which share
// its address, come before it and take what is theirs.
type HTTP struct {
	// DisableGET answers GET with 405.
	DisableGET bool
	// Callbacks take the subscriptions of routers that are to be called back; nil: none are.
	Callbacks *Callbacks
	// Requests bounds the bytes of requests; nil: nothing does.
	Requests *Requests
	// Responses are looked up before a request is decoded; nil: there are none.
	Responses Responses
	// Limit counts an operation of the caller: 0, or how long none may begin; nil: any may.
	Limit func(ctx context.Context) time.Duration
	// Overloaded says whether an operation of the caller would be refused at once, so that
	// it need not be decoded either; nil: it never would.
	Overloaded func(ctx context.Context) bool
	// Observe is told of each answer that is given without the executor, as [graph.Options] has it;
	// nil: nobody is told.
	Observe func(ctx context.Context, name, outcome string, took time.Duration)
	// Panicked is told of a panic outside of the resolvers; nil: nobody is told.
	Panicked func(ctx context.Context, value any)
}

// Responses are a cache of responses by the method, the document that the address names and
// the bytes of their requests: the body of a POST, the query string of a GET.
type Responses interface {
	// Lookup gives a zero Found where there is none.
	Lookup(ctx context.Context, request responsecache.Request) responsecache.Found
	// Freshness is that of an operation's response that is about to be sent.
	Freshness(ctx context.Context, method string, operation *graphql.OperationContext, response *graphql.Response) responsecache.Freshness
	// Remember is called with each operation that was executed.
	Remember(ctx context.Context, request responsecache.Request, operation *graphql.OperationContext)
}

var _ graphql.Transport = (*HTTP)(nil)

// Supports is gqlgen's: see [HTTP] for the order.
func (*HTTP) Supports(*http.Request) bool { return true }

// Do is gqlgen's.
func (h *HTTP) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	mediaType, acceptable := negotiate(r.Header.Values("Accept"))
	a := &responder{w, r, exec, mediaType}
	defer h.recovered(a)
	// The answer's bytes count until the last one is written.
	var hold budget.Hold
	defer hold.Close()
	ctx := budget.WithHold(r.Context(), &hold)
	in := h.Requests.begin(r.RemoteAddr)
	defer in.release()
	start := graphql.Now()
	refusal := h.checkMethod(r.Method)
	var request []byte
	if refusal == nil {
		request, refusal = receive(r, in)
	}
	if refusal == nil {
		refusal = limited(ctx, h.Limit)
	}
	if refusal != nil {
		a.refuse(refusal)
		return
	}
	if acceptable && h.answered(ctx, a, request, start) {
		return
	}
	params, refusal := decodeRequest(r, in, request, start)
	switch {
	case refusal != nil:
		a.refuse(refusal)
	case !acceptable:
		a.refuse(&notAcceptable)
	default:
		h.execute(ctx, a, request, params)
	}
}

func (h *HTTP) checkMethod(method string) *requestError {
	switch {
	case method == http.MethodPost, method == http.MethodGet && !h.DisableGET:
		return nil
	case h.DisableGET:
		return wrongMethod("POST")
	default:
		return wrongMethod("GET, POST")
	}
}

// receive gives the bytes that a request is made of, the caller aside.
func receive(r *http.Request, in *intake) ([]byte, *requestError) {
	if r.Method == http.MethodGet {
		return []byte(r.URL.RawQuery), nil
	}
	return receivePost(r, in)
}

func decodeRequest(r *http.Request, in *intake, request []byte, start time.Time) (params *graphql.RawParams, refusal *requestError) {
	if r.Method == http.MethodGet {
		params, refusal = decodeGet(r, in, string(request))
	} else {
		params, refusal = decodePost(r, in, request)
	}
	if params != nil {
		params.ReadTime = graphql.TraceTiming{Start: start, End: graphql.Now()}
	}
	return params, refusal
}

// answered answers what needs no executor: a request whose response is cached and, under
// overload, every other one.
func (h *HTTP) answered(ctx context.Context, a *responder, request []byte, start time.Time) bool {
	var found responsecache.Found
	if h.Responses != nil && a.r.Header.Get(admission.PriceHeader) == "" { // its operation would have to be known
		found = h.Responses.Lookup(ctx, keyOf(a.r, request))
	}
	response := found.Response
	if response == nil {
		if h.Overloaded == nil || !h.Overloaded(ctx) {
			return false
		}
		response = overloaded
	}
	a.respond(response, found.Freshness)
	if h.Observe != nil {
		outcome := "OK"
		if budget.IsOverloaded(response) {
			outcome = errcode.Overloaded
		}
		h.Observe(ctx, found.Name, outcome, graphql.Now().Sub(start))
	}
	return true
}

// keyOf is all that a request is made of, the caller aside.
func keyOf(r *http.Request, request []byte) responsecache.Request {
	return responsecache.Request{Method: r.Method, Document: documentID(r), Bytes: request}
}

// execute runs the operation and answers.
func (h *HTTP) execute(ctx context.Context, a *responder, request []byte, params *graphql.RawParams) {
	operation, failures := a.exec.CreateOperationContext(ctx, params)
	a.price(operation)
	switch {
	case a.r.Method == http.MethodGet && !isQuery(operation, params):
		a.refuse(wrongMethod("POST"))
	case len(failures) > 0:
		a.fail(operation, failures)
	case operation.Operation.Operation == ast.Subscription && h.Callbacks != nil && wantsCallbacks(a.r):
		h.Callbacks.accept(a, params)
	case operation.Operation.Operation == ast.Subscription && wantsCallbacks(a.r):
		a.refuse(&noCallbacks)
	case operation.Operation.Operation == ast.Subscription:
		a.refuse(&needsStream)
	default:
		responses, ctx := a.exec.DispatchOperation(ctx, operation)
		response := responses(ctx)
		if h.Responses == nil {
			a.respond(response, responsecache.Freshness{})
			return
		}
		a.respond(response, h.Responses.Freshness(ctx, a.r.Method, operation, response))
		h.Responses.Remember(ctx, keyOf(a.r, request), operation)
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

func (h *HTTP) recovered(a *responder) {
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
