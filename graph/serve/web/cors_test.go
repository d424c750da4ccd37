package web_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/serve/web"
)

// A page of another origin reads when to ask again.
func TestCORS_ExposesTheHeaders(t *testing.T) {
	const origin = "https://app.example.com"
	address := serveOptions(t, web.Options{Origins: web.Origins{origin}, GraphQL: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	})}, web.Server{})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/graphql", nil)
	require.NoError(t, err)
	request.Header.Set("Origin", origin)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, "1", response.Header.Get("Retry-After"))
	assert.Equal(t, "Retry-After", response.Header.Get("Access-Control-Expose-Headers"))
}
