package web_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/serve/web"
)

// A page of another origin reads when to ask again.
func TestCORS_ExposesTheHeaders(t *testing.T) {
	const origin = "https://app.example.com"
	address := serveOptions(t, web.Options{Origins: web.Origins{origin}, GraphQL: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	})}, web.Server{})
	answer := gqltest.Get(t, "http://"+address+"/graphql", "Origin", origin)
	assert.Equal(t, "1", answer.Header.Get("Retry-After"))
	assert.Equal(t, "Etag, Retry-After, Jobgraph-Cost, Jobgraph-Upstream-Calls", answer.Header.Get("Access-Control-Expose-Headers"))
}
