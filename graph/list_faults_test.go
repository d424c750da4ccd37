package graph_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/upstream"
	"jobgraph/upstream/faults"
)

// listAndJobs asks for a page and for jobs by their ids.
const listAndJobs = `query($ids: [ID!]!) {
	jobs(first: 4) { nodes { id } pageInfo { hasNextPage } }
	job(ids: $ids) { __typename }
}`

// TestListFaults_Matrix has the list fail beside five good jobs, in every way.
func TestListFaults_Matrix(t *testing.T) {
	var strayed []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		strayed = append(strayed, r.URL.Path)
	}))
	t.Run("faults", func(t *testing.T) {
		for _, fault := range faults.Lists(elsewhere.URL) {
			t.Run(fault.Name, func(t *testing.T) {
				t.Parallel()
				badList(t, fault)
			})
		}
	})
	elsewhere.Close()
	assert.Empty(t, strayed, "a redirect was followed")
}

func badList(t *testing.T, fault *faults.Fault) {
	server, err := faults.NewServer(func(id string) *faults.Fault {
		if id == faults.List {
			return fault
		}
		return nil
	})
	require.NoError(t, err)
	defer server.Close()
	opts := upstream.Options{Timeout: 2 * time.Minute} // a large list may take its time
	if fault.Slow {
		opts = timeouts
	}
	client := newClient(t, server.URL(), opts)
	endpoint := httptest.NewServer(graph.NewHandler(client, graph.Options{UpstreamTimeout: opts.Timeout}))
	defer endpoint.Close()
	ask := func() gqltest.Answer {
		return gqltest.Query(t, endpoint.URL, listAndJobs, map[string]any{"ids": fiveGood}, "Authorization", "Bearer "+canary)
	}
	if answer := ask(); fault.Want == "" {
		listIsServed(t, answer)
	} else {
		listFails(t, fault.Want, answer)
	}
	server.Heal()
	listIsServed(t, ask()) // nothing bad is remembered
	client.Close()
	assert.Eventually(t, func() bool { return server.Open() == 0 }, 10*time.Second, time.Millisecond, "connections are left")
}

func listIsServed(t *testing.T, answer gqltest.Answer) {
	t.Helper()
	var want []string
	for _, id := range faults.Listed()[:4] {
		want = append(want, `{"id":"`+id+`"}`)
	}
	assert.Empty(t, answer.Errors())
	assert.JSONEq(t, `{"jobs": {"nodes": [`+strings.Join(want, ",")+`], "pageInfo": {"hasNextPage": true}}, "job": `+fiveJobs+`}`, answer.Data())
}

const fiveJobs = `[{"__typename": "Job"}, {"__typename": "Job"}, {"__typename": "Job"}, {"__typename": "Job"}, {"__typename": "Job"}]`

// listFails wants null at the list, with what a caller needs to know beside it, and the jobs.
func listFails(t *testing.T, want string, answer gqltest.Answer) {
	t.Helper()
	assert.JSONEq(t, `{"jobs": null, "job": `+fiveJobs+`}`, answer.Data())
	errs := answer.Errors()
	require.Len(t, errs, 1, answer.Body)
	assert.Equal(t, []any{"jobs"}, errs[0].Path)
	assert.Equal(t, want, errs[0].Extensions["code"])
	assert.Equal(t, strings.HasPrefix(want, "UPSTREAM_"), errs[0].Extensions["retryable"], "retryable")
	assert.NotEmpty(t, errs[0].Message)
	assert.NotContains(t, answer.Body, canary[:8])
}

// TestListFaults_RetryAfter tells a caller when to come again.
func TestListFaults_RetryAfter(t *testing.T) {
	server, err := faults.NewServer(func(string) *faults.Fault { return faults.RateLimit("7") })
	require.NoError(t, err)
	defer server.Close()
	endpoint := newEndpoint(t, newClient(t, server.URL(), timeouts))
	errs := gqltest.Query(t, endpoint.url, `{ jobs { nodes { id } } }`, nil, "Authorization", "Bearer "+canary).Errors()
	require.Len(t, errs, 1)
	assert.Equal(t, map[string]any{"code": "UPSTREAM_RATE_LIMITED", "retryable": true, "retryAfterSeconds": 7.0}, errs[0].Extensions)
}
