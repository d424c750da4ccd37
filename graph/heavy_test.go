package graph_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"jobgraph/graph"
	"jobgraph/graph/admission"
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

// Twenty fields at the top are nineteen more than one.
func TestHeavy_OperationsTakeTurns(t *testing.T) {
	const fields = 20
	takeTurns(t, 11, fields, func(n int) string {
		query := "{"
		for field := range fields {
			query += fmt.Sprintf(" f%d_%d: jobById(id: %d) { __typename }", n, field, field)
		}
		return query + " }"
	})
}

// A hundred jobs with 100 fields each are 40 times 250 fields.
func TestHeavy_LargeAnswersTakeTurns(t *testing.T) {
	const jobs, fields = 100, 100
	takeTurns(t, 5, jobs, func(n int) string {
		query := "{ job(ids: ["
		for id := range jobs {
			query += fmt.Sprintf("%d, ", id)
		}
		query += "]) {"
		for field := range fields {
			query += fmt.Sprintf(" f%d_%d: __typename", n, field)
		}
		return query + " } }"
	})
}

// takeTurns has as many heavy operations as one token has room for, each of so many calls,
// and then one more. Other tokens have what it leaves: 256 weigh 13 of the first kind, and
// six of the other one.
func takeTurns(t *testing.T, most, calls int, heavy func(n int) string) {
	t.Helper()
	source := hanging{make(chan struct{}, 1000), make(chan struct{})}
	limits := admission.DefaultLimits()
	limits.Tokens, limits.Aliases = 10_000, 1000
	server := serveHandler(t, graph.NewHandler(source, graph.Options{DefaultToken: liveToken, Limits: limits}))
	ask := func(query string, headers ...string) string {
		return wholeAnswer(gqltest.Query(t, server, query, nil, headers...))
	}
	answers, another := make(chan string, most), make(chan string, 1)
	for n := range most {
		go func() { answers <- ask(heavy(n)) }()
	}
	for range most * calls {
		<-source.asked
	}
	go func() { another <- ask(heavy(most)) }()
	var refused string
	select {
	case refused = <-another:
	case <-source.asked:
		close(source.answer)
		t.Fatal("one more than there is room for is executed")
	}
	assert.Contains(t, refused, "503 Service Unavailable 1 ")
	assert.Contains(t, refused, `"code":"OVERLOADED"`)
	assert.Contains(t, ask(`{ __typename }`), "200 OK", "one that is not heavy")
	go func() { another <- ask(heavy(most), "Authorization", "Bearer 0b") }()
	for range calls {
		<-source.asked
	}
	close(source.answer)
	assert.Contains(t, <-another, "200 OK", "another token's")
	for range most {
		assert.Contains(t, <-answers, "200 OK")
	}
	assert.Contains(t, ask(heavy(most)), "200 OK", "turns are given back")
}
