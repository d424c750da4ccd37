package graph_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/upstream"
)

// canary is a token that must not be seen in any answer.
const canary = "c0ffee11c0ffee22c0ffee33c0ffee44"

// endpoint is a GraphQL endpoint over real HTTP.
type endpoint struct {
	url    string
	client *http.Client
}

func newEndpoint(t testing.TB, source upstream.Source) *endpoint {
	t.Helper()
	server := httptest.NewServer(graph.NewHandler(source, graph.Options{}))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}, Timeout: 20 * time.Second}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		server.Close()
	})
	return &endpoint{server.URL, client}
}

func newClient(t testing.TB, url string, opts upstream.Options) *upstream.Client {
	t.Helper()
	client, err := upstream.New(url, opts)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// result is a JobResult as a client reads it.
type result struct {
	Typename          string `json:"__typename"`
	ID                string
	Type              string
	Comment           string
	JobID             string
	Retryable         bool
	RetryAfterSeconds *int
}

const jobQuery = `query($ids: [ID!]!) { job(ids: $ids) { __typename
	... on Job { id options { value } }
	... on ApiError { type comment jobId retryable retryAfterSeconds } } }`

func (e *endpoint) jobs(t testing.TB, ids ...string) []result {
	t.Helper()
	results, err := e.ask(ids...)
	require.NoError(t, err)
	require.Len(t, results, len(ids))
	return results
}

// ask is jobs for goroutines, which must not end a test.
func (e *endpoint) ask(ids ...string) ([]result, error) {
	body, err := json.Marshal(map[string]any{"query": jobQuery, "variables": map[string]any{"ids": ids}})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+canary)
	response, err := e.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct{ Data struct{ Job []result } }
	err = json.NewDecoder(response.Body).Decode(&answer)
	return answer.Data.Job, err
}
