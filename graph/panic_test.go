package graph_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"jobgraph/graph"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/upstream"
	"jobgraph/upstream/store"
)

// panicking is a source with a mistake: it panics with what it was given.
type panicking struct{}

func (panicking) Job(_ context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	token := r.Token
	id := r.Key.ID
	if id == "aa" {
		var nothing *upstream.EncodedJob
		nothing.Record = upstream.Record(token)
	}
	panic("https://upstream.example/?api_token=" + token)
}

func TestPanic_IsLoggedWithItsStackAndNoSecret(t *testing.T) {
	const token = "c0ffee5ecdeadbea7b1ab1e5"
	ofItsOwn := store.New(panicking{}, store.Options{ObserveMiss: func() { panic("a store's, for " + token) }})
	defer ofItsOwn.Close()
	for _, c := range []struct {
		source   upstream.Source
		id, said string
	}{
		{panicking{}, "aa", "nil pointer dereference"},
		{panicking{}, "bb", "panic: a string"},
		{ofItsOwn, "cc", "panic: a string"},
	} {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		server := httptest.NewServer(graph.NewHandler(c.source, graph.Options{Logger: logger}))
		answer := gqltest.Post(t, server.URL, `{"query": "{ job(ids: [\"`+c.id+`\"]) { __typename } }"}`, "Authorization", "Bearer "+token)
		server.Close()

		assert.Equal(t, http.StatusOK, answer.Status)
		assert.Contains(t, answer.Body, `"code":"INTERNAL_SERVER_ERROR"`)
		assert.NotContains(t, answer.Body, "panic")
		assert.Contains(t, log.String(), c.said)
		assert.Contains(t, log.String(), "panic_test.go", "the stack")
		for i := 0; i+8 <= len(token); i++ {
			assert.NotContains(t, log.String(), token[i:i+8])
			assert.NotContains(t, answer.Body, token[i:i+8])
		}
	}
}
