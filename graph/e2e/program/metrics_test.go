package program_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/program"
)

// Two jobs over one event stream: a gauge that counts the other thing is seen.
func TestMetrics_WatchedJobsAndLiveConnections(t *testing.T) {
	api := newJobAPI(t)
	p := program.Start(t, "--upstream-url", api.URL, "--upstream-token", canaryToken)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/graphql?query="+
		url.QueryEscape(`subscription { jobUpdated(ids: ["aa", "bb"]) { __typename } }`), nil)
	require.NoError(t, err)
	request.Header.Set("Accept", "text/event-stream")
	stream, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer stream.Body.Close()
	require.Eventually(t, func() bool { return api.asked() >= 2 }, program.Timeout, time.Millisecond, "both are watched")
	_, metrics := get(t, p.AdminURL+"/metrics")
	assert.Contains(t, metrics, "\njobgraph_watched_jobs 2\n")
	assert.Contains(t, metrics, "\njobgraph_live_connections 1\n")
}
