package graph_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/graph/e2e/gqltest"
)

// An error of a field says where in the document the field stands.
func TestErrors_HaveLocations(t *testing.T) {
	server := serveHandler(t, graph.NewHandler(panicking{}, graph.Options{DefaultToken: liveToken}))
	body := gqltest.Query(t, server, "{\n  job(ids: [\"aa\"]) { __typename }\n}", nil).Body
	assert.Contains(t, body, `"locations":[{"line":2,"column":3}]`)
	assert.Contains(t, body, `"path":["job"]`)
}

// Who leaves while the operation is under way is none of the operator's business.
func TestErrors_ACallerWhoLeavesIsLoggedAtDebug(t *testing.T) {
	var log bytes.Buffer
	source := blocking{make(chan string, 1), make(chan string, 1)}
	server := httptest.NewServer(graph.NewHandler(source, graph.Options{DefaultToken: "aa",
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}))
	ctx, leave := context.WithCancel(t.Context())
	request := gqltest.Request(t, http.MethodPost, server.URL, `{"query": "{ job(ids: [\"a\"]) { __typename } }"}`, "Content-Type", "application/json")
	go func() {
		<-source.started
		leave()
	}()
	_, err := gqltest.Send(request.WithContext(ctx))
	require.ErrorIs(t, err, context.Canceled)
	server.Close() // waits for the operation's end
	assert.Contains(t, log.String(), "level=DEBUG")
	assert.NotContains(t, log.String(), "level=WARN")
	assert.NotContains(t, log.String(), "level=ERROR")
}
