package transport

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/budget"
	"jobgraph/graph/errcode"
)

const (
	codeBadRequest  = "BAD_REQUEST"
	internalMessage = "Internal server error. Try again; if it stays so, tell the operator of this server."
)

// A requestError is the answer to a request that is not a GraphQL request. Its text
// says what to do and holds nothing that the request brought.
type requestError struct {
	status  int
	code    string
	message string
	// header is one more header of the answer: its name and value.
	header [2]string
}

func badRequest(message string) *requestError {
	return &requestError{status: http.StatusBadRequest, code: codeBadRequest, message: message}
}

func wrongMethod(allow string) *requestError {
	return &requestError{http.StatusMethodNotAllowed, codeBadRequest,
		"This method is not for this operation. POST runs queries; GET, where it is open, runs queries only; subscriptions need a WebSocket or an event stream.",
		[2]string{"Allow", allow}}
}

func wrongMediaType(message string) *requestError {
	return &requestError{http.StatusUnsupportedMediaType, codeBadRequest, message, [2]string{"Accept-Post", mediaTypeJSON}}
}

// limited is the answer to a caller that has begun more operations than it may; nil: it
// has not.
func limited(ctx context.Context, limit func(context.Context) time.Duration) *requestError {
	if limit == nil {
		return nil
	}
	wait := limit(ctx)
	if wait <= 0 {
		return nil
	}
	seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
	return &requestError{http.StatusTooManyRequests, errcode.RateLimited,
		"You have begun more operations than this server lets one caller begin. Ask again in " + seconds + " s, and less often.",
		[2]string{"Retry-After", seconds}}
}

func (e *requestError) failure() *gqlerror.Error {
	return &gqlerror.Error{Message: e.message, Extensions: map[string]any{"code": e.code}}
}

// Refuse answers a request before any transport has seen it, with a status of its own.
func Refuse(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	mediaType, _ := negotiate(r.Header.Values("Accept"))
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	failure := (&requestError{code: code, message: message}).failure()
	(&responder{w: w, r: r, mediaType: mediaType}).write(status, &graphql.Response{Errors: gqlerror.List{failure}})
}

var (
	notAcceptable = requestError{status: http.StatusNotAcceptable, code: codeBadRequest,
		message: "Accept has none of application/graphql-response+json and application/json, in UTF-8."}
	needsStream = requestError{status: http.StatusNotAcceptable, code: codeBadRequest,
		message: "A subscription needs a WebSocket (graphql-transport-ws), or an Accept that has text/event-stream before any JSON, or multipart/mixed;subscriptionSpec=1.0."}
	noCallbacks = requestError{status: http.StatusNotAcceptable, code: codeBadRequest,
		message: "This server calls no router back. Its operator names those that it may call by --subscription-callback-origin; until then subscribe over a WebSocket or with Accept: text/event-stream."}
	tooLarge = requestError{status: http.StatusRequestEntityTooLarge, code: codeBadRequest,
		message: "The body is larger than this server takes. Send less at a time."}
)

// overloaded is one that is written as it is, and is encoded once: it costs less than what it
// refuses.
var (
	overloaded      = budget.Overloaded("This server has too many operations under way. Try again in a moment.")
	overloadedParts = encode(overloaded)
)
