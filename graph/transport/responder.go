package transport

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/budget"
)

// An responder is under way to one request.
type responder struct {
	w         http.ResponseWriter
	r         *http.Request
	exec      graphql.GraphExecutor
	mediaType string
}

// refuse answers a request that is no GraphQL request.
func (a responder) refuse(refusal requestError) {
	if name := refusal.header[0]; name != "" {
		a.w.Header().Set(name, refusal.header[1])
	}
	failure := &gqlerror.Error{Message: refusal.message, Extensions: map[string]any{"code": refusal.code}}
	a.write(refusal.status, a.exec.DispatchError(a.r.Context(), gqlerror.List{failure}))
}

// fail answers a GraphQL request that cannot be run. The older media type has 200
// for every well-formed request, the newer one says it by the status.
func (a responder) fail(operation *graphql.OperationContext, failures gqlerror.List) {
	status := http.StatusBadRequest
	if a.mediaType == mediaTypeJSON {
		status = http.StatusOK
	}
	ctx := graphql.WithOperationContext(a.r.Context(), operation)
	a.write(status, a.exec.DispatchError(ctx, failures))
}

// respond sends what an operation has given, or that it was refused for the sake of others.
func (a responder) respond(response *graphql.Response) {
	status := http.StatusOK
	if budget.IsOverloaded(response) {
		status = http.StatusServiceUnavailable
		a.w.Header().Set("Retry-After", "1")
	}
	a.write(status, response)
}

// write sends the response. The data is JSON already and is not read once more;
// a response without data, not even null, is a request error and has no such key.
func (a responder) write(status int, response *graphql.Response) {
	if response == nil { // the caller left
		response = &graphql.Response{Errors: gqlerror.List{{Message: internalMessage, Extensions: map[string]any{"code": "INTERNAL_SERVER_ERROR"}}}}
	}
	head, tail := []byte{'{'}, []byte{'}'}
	if len(response.Errors) > 0 {
		head = appendMember(head, "errors", response.Errors)
	}
	if len(response.Extensions) > 0 {
		tail = append(appendMember([]byte{','}, "extensions", response.Extensions), '}')
	}
	if response.Data != nil {
		if len(head) > 1 {
			head = append(head, ',')
		}
		head = append(head, `"data":`...)
	}
	header := a.w.Header()
	header.Set("Content-Type", a.mediaType+"; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(head)+len(response.Data)+len(tail)))
	header.Set("Cache-Control", "private, no-store")
	header.Add("Vary", "Accept")
	a.w.WriteHeader(status)
	for _, part := range [][]byte{head, response.Data, tail} {
		if _, err := a.w.Write(part); err != nil {
			return // the caller left
		}
	}
}

// appendMember panics where a value is no JSON, which ours always are.
func appendMember(to []byte, name string, value any) []byte {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	to = append(append(append(to, '"'), name...), `":`...)
	return append(to, encoded...)
}
