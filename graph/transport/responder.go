package transport

import (
	"net/http"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/admission"
	"jobgraph/graph/budget"
	"jobgraph/graph/responsecache"
)

// A responder answers one request.
type responder struct {
	w         http.ResponseWriter
	r         *http.Request
	exec      graphql.GraphExecutor
	mediaType string
}

// refuse answers a request that is no GraphQL request.
func (a *responder) refuse(refusal *requestError) {
	if name := refusal.header[0]; name != "" {
		a.w.Header().Set(name, refusal.header[1])
	}
	a.write(refusal.status, a.exec.DispatchError(a.r.Context(), gqlerror.List{refusal.failure()}))
}

// price tells what the operation costs, refused or not, where the request wants to know.
func (a *responder) price(operation *graphql.OperationContext) {
	if price, ok := admission.PriceOf(operation); ok {
		a.w.Header().Set(admission.PriceHeader, strconv.Itoa(price.Cost))
		a.w.Header().Set("JobGraph-Upstream-Calls", strconv.Itoa(price.UpstreamCalls))
	}
}

// fail answers a GraphQL request that cannot be run. The older media type has 200
// for every well-formed request, the newer one says it by the status.
func (a *responder) fail(operation *graphql.OperationContext, failures gqlerror.List) {
	status := http.StatusBadRequest
	if a.mediaType == mediaTypeJSON {
		status = http.StatusOK
	}
	ctx := graphql.WithOperationContext(a.r.Context(), operation)
	a.write(status, a.exec.DispatchError(ctx, failures))
}

// respond sends what an operation has given, or that it was refused for the sake of others.
// A caller that has the very response already is told so.
func (a *responder) respond(response *graphql.Response, fresh responsecache.Freshness) {
	status := http.StatusOK
	header := a.w.Header()
	if budget.IsOverloaded(response) {
		status = http.StatusServiceUnavailable
		header.Set("Retry-After", "1")
	}
	if fresh.Lifetime > 0 {
		header["Cache-Control"] = cacheControl(fresh.Lifetime)
	}
	if fresh.ETag != "" {
		header["Etag"] = []string{fresh.ETag}
		if matches(a.r.Header["If-None-Match"], fresh.ETag) {
			addVary(header)
			a.w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	a.write(status, response)
}

// write sends the response. The data is JSON already and is not read once more.
func (a *responder) write(status int, response *graphql.Response) {
	if response == nil { // the caller left
		response = &graphql.Response{Errors: gqlerror.List{{Message: internalMessage, Extensions: map[string]any{"code": "INTERNAL_SERVER_ERROR"}}}}
	}
	parts := overloadedParts
	if response != overloaded {
		parts = encode(response)
	}
	header := a.w.Header()
	header["Content-Type"] = contentTypes[a.mediaType]
	header.Set("Content-Length", strconv.Itoa(len(parts[0])+len(parts[1])+len(parts[2])))
	if header["Cache-Control"] == nil {
		header["Cache-Control"] = noStore
	}
	addVary(header)
	a.w.WriteHeader(status)
	for _, part := range parts {
		if _, err := a.w.Write(part); err != nil {
			return // the caller left
		}
	}
}
