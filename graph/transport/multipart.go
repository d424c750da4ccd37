package transport

import (
	"net/http"
	"strings"

	"github.com/99designs/gqlgen/graphql"
)

// Multipart serves subscriptions over HTTP multipart as Apollo's clients and routers ask for
// them: one operation a request, each event a part of the answer, as written down at
// https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol.
// It has the settings and the bounds of an event stream.
type Multipart SSE

var _ graphql.Transport = Multipart{}

// multipartFraming ends each part with the boundary of the next one: a client reads a part
// when that has come.
var multipartFraming = framing{
	contentType: `multipart/mixed;boundary="graphql";subscriptionSpec=1.0`,
	opening:     "\r\n--graphql",
	before:      "\r\nContent-Type: application/json\r\n\r\n{\"payload\":",
	after:       "}\r\n--graphql",
	keepAlive:   "\r\nContent-Type: application/json\r\n\r\n{}\r\n--graphql",
	complete:    "--\r\n",
}

// Supports is gqlgen's question whether the request is this transport's.
func (Multipart) Supports(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return false
	}
	for accepted := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		mediaType, parameters, _ := parseMediaType(accepted)
		if weight, _ := weightOf(parameters); mediaType == "multipart/mixed" && parameters["subscriptionspec"] == "1.0" && weight > 0 {
			return true
		}
	}
	return false
}

// Do runs one operation. What is wrong with it is told in a part, as it is in an event.
func (t Multipart) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	SSE(t).serve(w, r, exec, multipartFraming)
}
