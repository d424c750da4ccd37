package examples_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/freeport"
	"jobgraph/upstream/sandbox"
)

// A trace that comes in at Hive's gateway reaches the job API's call, with a span of JobGraph's as its parent.
func TestTraces_OneTraceFromAGatewaysCallerToTheJobAPI(t *testing.T) {
	needsNode(t)
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	var mu sync.Mutex
	var sent []string
	jobs := sandbox.New(sandbox.Options{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		sent = append(sent, r.Header.Get("Traceparent"))
		mu.Unlock()
		jobs.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(collector.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	p := program.Start(t, "--upstream-url", api.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "") // the gateway makes no spans of its own
	supergraph := filepath.Join(t.TempDir(), "supergraph.graphql")
	require.NoError(t, os.WriteFile(supergraph, []byte(run(t, "node", "federation/compose.js", "jobs="+p.URL+"/graphql")), 0o600))
	gateway := start(t, `Listening on (http://[0-9.:]+)`, "node_modules/.bin/hive-gateway", "supergraph", supergraph,
		"--config-path", "federation/gateway.config.js", "--host", "127.0.0.1", "--port", freeport.Get(t)) + "/graphql"

	request := post(t, gateway, sandbox.Token, `{"query": "{ jobById(id: \"`+copied+`\") { ... on Job { id } } }"}`)
	request.Header.Set("Traceparent", "00-"+trace+"-"+span+"-01")
	answer := gqltest.Do(t, request)
	require.Equal(t, http.StatusOK, answer.Status, answer.Body)
	assert.Equal(t, `{"jobById":{"id":"`+copied+`"}}`, answer.Data())
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, sent, 1)
	parts := strings.Split(sent[0], "-")
	require.Len(t, parts, 4, sent[0])
	assert.Equal(t, trace, parts[1])
	assert.NotEqual(t, span, parts[2], "the call has a span of its own")
}
