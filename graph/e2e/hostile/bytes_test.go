package hostile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/sandbox"
)

// fatJobs starts the program on a job API whose jobs have a name of 700 KB, but those
// whose id begins with zeros: there is no such job.
func fatJobs(t *testing.T) *program.Program {
	rest := []byte(`", "JobStatus": "COMPLETE", "ReturnDate": "2026-01-01T00:00:00", "JobName": "` + strings.Repeat("long name ", 70_000) + `"}`)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("job_id")
		if strings.HasPrefix(id, "0000") {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"ErrorType": "ITEM_NOT_FOUND", "ErrorComment": "There is no such job."}`)
			return
		}
		_, _ = io.WriteString(w, `{"JobId": "`+id)
		_, _ = w.Write(rest) // as it is: what the job API takes is not the program's
	}))
	t.Cleanup(api.Close)
	return spawn(t, "--upstream-url", api.URL, "--upstream-token", sandbox.Token)
}

// question is a request's body.
func question(t *testing.T, query string, ids ...string) string {
	body, err := json.Marshal(map[string]any{"query": query, "variables": map[string]any{"ids": ids}})
	require.NoError(t, err)
	return string(body)
}

// sameJob is one id, n times.
func sameJob(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = "abcdef00000000000000000000000000"
	}
	return ids
}

// fiveNames asks for the name by five aliases.
const fiveNames = `query ($ids: [ID!]!) { job(ids: $ids) { ... on Job { a: name b: name c: name d: name e: name } } }`

// fatQuestion is a body of 29 KB whose answer is as large as the limits of one
// operation allow: a thousand failures. n makes it an operation of its own.
func fatQuestion(t *testing.T, n int) string {
	ids := make([]string, 100)
	for i := range ids {
		ids[i] = "0000000000000000000000000a"
	}
	variables := map[string]any{}
	query := "query ("
	for root := range 10 {
		query += fmt.Sprintf("$i%d: [ID!]! ", root)
		variables[fmt.Sprintf("i%d", root)] = ids
	}
	query += ") {"
	for root := range 10 {
		query += fmt.Sprintf(" r%d_%d: job(ids: $i%d) { ...f }", n, root, root)
	}
	query += " } fragment f on ApiError {"
	for field := range 20 {
		query += fmt.Sprintf(" f%02d_%s: comment", field, strings.Repeat("x", 20))
	}
	body, err := json.Marshal(map[string]any{"query": query + " }", "variables": variables})
	require.NoError(t, err)
	return string(body)
}

// TestHostileBytes_FatAnswersThatNobodyReads is today's way to hold the memory of many answers.
func TestHostileBytes_FatAnswersThatNobodyReads(t *testing.T) {
	p := spawn(t)
	hostile(t, p, func(ctx context.Context) {
		var deafs []net.Conn
		for i := range 150 {
			if connection := deaf(ctx, t, p, post(p, fatQuestion(t, i))); connection != nil {
				deafs = append(deafs, connection)
				defer connection.Close()
			}
		}
		requireCut(ctx, t, p)
		assert.Len(t, deafs, 150)
	})
}

// requireCut waits until the program has given up all readers that do not read.
func requireCut(ctx context.Context, t *testing.T, p *program.Program) {
	program.Pause(ctx, time.Second)
	most := 0
	for ; ctx.Err() == nil; program.Pause(ctx, 50*time.Millisecond) {
		held := int(p.Metric(t, "jobgraph_answer_bytes"))
		most = max(most, held)
		if held < 1<<20 {
			break
		}
	}
	assert.NoError(t, ctx.Err(), "answers are held for ever")
	t.Logf("%d MB of answers were held at the same time", most>>20)
	assert.LessOrEqual(t, most, 64<<20)
}

// askOnce sends one request and reads the answer to its end.
func askOnce(ctx context.Context, t *testing.T, p *program.Program, body string) gqltest.Answer {
	return gqltest.Do(t, gqltest.Request(t, http.MethodPost, p.URL+"/graphql", body, "Content-Type", "application/json").WithContext(ctx))
}

// TestHostileBytes_AJobWithALongName asks for one job a hundred times, by five aliases.
func TestHostileBytes_AJobWithALongName(t *testing.T) {
	p := fatJobs(t)
	hostile(t, p, func(ctx context.Context) {
		for range 20 {
			answer := askOnce(ctx, t, p, question(t, fiveNames, sameJob(100)...))
			assert.Equal(t, http.StatusOK, answer.Status)
			assert.Contains(t, answer.Body, `"code":"COMPLEXITY_LIMIT_EXCEEDED"`)
			assert.True(t, strings.HasSuffix(answer.Body, `"data":null}`), "%.300s", answer.Body)
			assert.Less(t, len(answer.Body), 1_000)
		}
		answer := askOnce(ctx, t, p, question(t, fiveNames, sameJob(2)...))
		assert.Equal(t, http.StatusOK, answer.Status)
		assert.Greater(t, len(answer.Body), 10*700_000, "what fits is answered")
	})
}

// TestHostileBytes_FatAttacksAtOnce is all of it from 50 connections, some of which read.
func TestHostileBytes_FatAttacksAtOnce(t *testing.T) {
	p := fatJobs(t)
	hostile(t, p, func(ctx context.Context) {
		var readers sync.WaitGroup
		for i := range 50 {
			switch i % 5 {
			case 0:
				readers.Go(func() {
					answer := askOnce(ctx, t, p, question(t, fiveNames, sameJob(100)...))
					assert.Contains(t, []int{http.StatusOK, http.StatusServiceUnavailable}, answer.Status)
				})
			case 1:
				readers.Go(func() {
					answer := askOnce(ctx, t, p, question(t, fiveNames, sameJob(2)...))
					assert.Contains(t, []int{http.StatusOK, http.StatusServiceUnavailable}, answer.Status)
				})
			case 2:
				if connection := deaf(ctx, t, p, post(p, fatQuestion(t, i))); connection != nil {
					defer connection.Close()
				}
			default:
				query := strings.Replace(fiveNames, "a:", fmt.Sprintf("a%d:", i), 1)
				if connection := deaf(ctx, t, p, post(p, question(t, query, sameJob(2)...))); connection != nil {
					defer connection.Close()
				}
			}
		}
		readers.Wait()
		requireCut(ctx, t, p)
	})
}

// TestHostileBytes_ManyJobsWithLongNames asks for different jobs, of which an operation
// holds all until it is answered.
func TestHostileBytes_ManyJobsWithLongNames(t *testing.T) {
	p := fatJobs(t)
	asked := 0
	hostile(t, p, func(ctx context.Context) {
		ids := make([]string, 100)
		for i := range ids {
			ids[i] = fmt.Sprintf("abcdef%026x", asked)
			asked++
		}
		answer := askOnce(ctx, t, p, question(t, `query ($ids: [ID!]!) { job(ids: $ids) { __typename } }`, ids...))
		assert.Equal(t, http.StatusOK, answer.Status)
		assert.Contains(t, answer.Body, "The jobs of this operation have more than 8388608 bytes")
		assert.Less(t, len(answer.Body), 1_000)
	})
}
