package graph_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"jobgraph/graph"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/upstream"
)

// hanging is a source that tells when it is asked, and answers when it may.
type hanging struct{ asked, answer chan struct{} }

func (h hanging) Job(context.Context, upstream.Request) (*upstream.EncodedJob, error) {
	h.asked <- struct{}{}
	<-h.answer
	return (&upstream.Job{ID: "a", Status: upstream.StatusPending}).Encode(), nil
}

// TestHeavy_OperationsTakeTurns has as many as take all there is beyond one field each.
func TestHeavy_OperationsTakeTurns(t *testing.T) {
	const fields, most = 20, 256 / (20 - 1)
	source := hanging{make(chan struct{}, 1000), make(chan struct{})}
	server := serveHandler(t, graph.NewHandler(source, graph.Options{DefaultToken: liveToken}))
	ask := func(query string) string {
		return wholeAnswer(gqltest.Query(t, server, query, nil))
	}
	heavy := func(n int) string {
		query := "{"
		for field := range fields {
			query += fmt.Sprintf(" f%d_%d: jobById(id: %d) { __typename }", n, field, field)
		}
		return query + " }"
	}
	answers := make(chan string)
	for n := range most {
		go func() { answers <- ask(heavy(n)) }()
	}
	for range most * fields {
		<-source.asked
	}
	refused := ask(heavy(most))
	assert.Contains(t, refused, "503 Service Unavailable 1 ")
	assert.Contains(t, refused, `"code":"OVERLOADED"`)
	assert.Contains(t, ask(`{ __typename }`), "200 OK", "one that is not heavy")
	close(source.answer)
	for range most {
		assert.Contains(t, <-answers, "200 OK")
	}
	assert.Contains(t, ask(heavy(most)), "200 OK", "turns are given back")
}
