package program_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

// Two jobs over one event stream: a gauge that counts the other thing is seen.
func TestMetrics_WatchedJobsAndLiveConnections(t *testing.T) {
	api := newJobAPI(t)
	p := program.Start(t, "--upstream-url", api.URL, "--upstream-token", canaryToken)
	query := url.QueryEscape(`subscription { jobUpdated(ids: ["aa", "bb"]) { __typename } }`)
	gqltest.Open(t, gqltest.Request(t, http.MethodGet, p.URL+"/graphql?query="+query, "", "Accept", "text/event-stream"))
	require.Eventually(t, func() bool { return api.asked() >= 2 }, program.Timeout, time.Millisecond, "both are watched")
	assert.EqualValues(t, 2, p.Metric(t, "jobgraph_watched_jobs"))
	assert.EqualValues(t, 1, p.Metric(t, "jobgraph_live_connections"))
}
