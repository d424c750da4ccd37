package graph_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/upstream"
)

// blocking is a source whose calls wait until their callers leave.
type blocking struct{ started, stopped chan string }

func (b blocking) Job(ctx context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	id := r.Key.ID
	b.started <- id
	<-ctx.Done()
	b.stopped <- id
	return nil, ctx.Err()
}

func TestLoader_ACancelledOperationStopsItsCalls(t *testing.T) {
	source := blocking{make(chan string, 3), make(chan string, 3)}
	server := httptest.NewServer(graph.NewHandler(source, graph.Options{DefaultToken: "aa"}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	request := gqltest.Request(t, http.MethodPost, server.URL, `{"query": "{ job(ids: [\"a\", \"b\", \"c\"]) { __typename } }"}`,
		"Content-Type", "application/json")
	go func() {
		for range 3 {
			<-source.started
		}
		cancel()
	}()
	_, err := gqltest.Send(request.WithContext(ctx))
	require.ErrorIs(t, err, context.Canceled)
	stopped := []string{<-source.stopped, <-source.stopped, <-source.stopped}
	assert.ElementsMatch(t, []string{"a", "b", "c"}, stopped)
}
