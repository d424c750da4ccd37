package program_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

// manyObjects is a body of 250 KB that takes fifty times as much once it is decoded.
func manyObjects() string {
	return `{"query": "{ __typename }", "variables": {"a": [` + strings.Repeat(`{"":1},`, 35_000) + `0]}}`
}

// TestHostileRequests_VariablesOfManyObjects is a client whose variables nobody asked for.
func TestHostileRequests_VariablesOfManyObjects(t *testing.T) {
	p := program.Spawn(t)
	hostile(t, p, func(ctx context.Context) {
		var readers sync.WaitGroup
		for range 100 {
			readers.Go(func() {
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+"/graphql", strings.NewReader(manyObjects()))
				if !assert.NoError(t, err) {
					return
				}
				request.Header.Set("Content-Type", "application/json")
				response, err := http.DefaultClient.Do(request)
				if !assert.NoError(t, err) {
					return
				}
				defer response.Body.Close()
				assert.Contains(t, []int{http.StatusOK, http.StatusServiceUnavailable}, response.StatusCode)
				_, _ = io.Copy(io.Discard, response.Body)
			})
		}
		readers.Wait()
	})
	answer := gqltest.Post(t, p.URL+"/graphql", manyObjects())
	assert.Equal(t, http.StatusOK, answer.Status, "one by itself")
}

// TestHostileRequests_TextsParsedAtOnce sends more texts than are parsed at the same time, each of
// which takes long. The profile of goroutines stops the program to look at all of them at once.
func TestHostileRequests_TextsParsedAtOnce(t *testing.T) {
	const texts, most = 50, 16
	p := program.Spawn(t, "--max-tokens", "1000000", "--max-body-bytes", "2000000", "--max-directives", "1000000")
	var asking sync.WaitGroup
	answered := make(chan struct{})
	for i := range texts {
		asking.Go(func() {
			// Parsed, and refused for its name alone: nothing follows.
			query := fmt.Sprintf("{ %s%d", strings.Repeat("x", 200), i) + strings.Repeat(" @a", 130_000) + " }"
			answer := gqltest.Post(t, p.URL+"/graphql", `{"query": "`+query+`"}`)
			assert.Contains(t, answer.Body, "A name in the query has")
		})
	}
	go func() { asking.Wait(); close(answered) }()
	parsing, waiting := 0, 0
	for done := false; !done; {
		select {
		case <-answered:
			done = true
		default:
		}
		now, behind := textsBeingRead(t, p)
		parsing, waiting = max(parsing, now), max(waiting, behind)
	}
	t.Logf("%d texts were parsed at the same time, %d waited", parsing, waiting)
	assert.LessOrEqual(t, parsing, most)
	assert.Greater(t, waiting, 0, "the test does not send enough at once")
}

// textsBeingRead counts the goroutines that parse or validate a text, and those that wait for it.
func textsBeingRead(t *testing.T, p *program.Program) (parsing, waiting int) {
	response, err := http.Get(p.AdminURL + "/debug/pprof/goroutine?debug=2")
	require.NoError(t, err)
	defer response.Body.Close()
	profile, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	for stack := range bytes.SplitSeq(profile, []byte("\n\n")) {
		switch head, frames, _ := bytes.Cut(stack, []byte("\n")); {
		case !bytes.Contains(frames, []byte("admission.(*Guard).read(")):
		case bytes.Contains(head, []byte("[select")) && bytes.HasPrefix(frames, []byte("jobgraph/graph/admission.(*Guard).read(")):
			waiting++
		default:
			parsing++
		}
	}
	return parsing, waiting
}
