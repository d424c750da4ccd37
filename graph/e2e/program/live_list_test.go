package program_test

import (
	"bufio"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/listtest"
)

// watchByList subscribes to thirty jobs, and waits for their first states.
func watchByList(t *testing.T, args ...string) (api *listtest.API, ids []string, events *bufio.Scanner) {
	t.Helper()
	api = &listtest.API{}
	for n := range 30 {
		ids = append(ids, fmt.Sprintf("%032x", n))
		api.Set(listtest.Job{ID: ids[n], Status: "Pending", Created: time.Now()})
	}
	rest := httptest.NewServer(api)
	t.Cleanup(rest.Close)
	p := program.Start(t, append([]string{"--upstream-url", rest.URL, "--upstream-token", "aa11", "--poll-interval", "100ms", "--poll-max", "200ms"}, args...)...)
	query := fmt.Sprintf(`subscription { jobUpdated(ids: ["%s"]) { ... on Job { id status } ... on ApiError { comment } } }`, strings.Join(ids, `", "`))
	response := gqltest.Open(t, gqltest.Request(t, "GET", p.URL+"/graphql?query="+url.QueryEscape(query), "", "Accept", "text/event-stream"))
	events = bufio.NewScanner(response.Body)
	for range ids {
		assert.Contains(t, nextEvent(t, events), "PENDING")
	}
	return api, ids, events
}

func nextEvent(t *testing.T, events *bufio.Scanner) string {
	t.Helper()
	for events.Scan() {
		if strings.HasPrefix(events.Text(), "data: {") {
			return events.Text()
		}
	}
	require.Fail(t, "the stream has ended")
	return ""
}

// Jobs of one token are watched by lists: what moves on is told by them, and what leaves them
// by one call of its own.
func TestLive_ManyJobsOfATokenAreWatchedByLists(t *testing.T) {
	api, ids, events := watchByList(t)
	lists, infos, _ := api.Asked()
	assert.NotEmpty(t, lists)
	assert.Empty(t, infos)
	api.Set(listtest.Job{ID: ids[7], Status: "In Process", Created: time.Now()})
	assert.Contains(t, nextEvent(t, events), ids[7]+`","status":"IN_PROCESS"`)
	api.Set(listtest.Job{ID: ids[8], Status: "Complete", Created: time.Now()})
	assert.Contains(t, nextEvent(t, events), ids[8]+`","status":"COMPLETE"`)
	_, infos, _ = api.Asked()
	assert.Contains(t, infos, ids[8])
}

func TestLive_WithoutPollByListEachJobIsAskedFor(t *testing.T) {
	api, _, _ := watchByList(t, "--poll-by-list=false")
	lists, infos, _ := api.Asked()
	assert.Empty(t, lists)
	assert.GreaterOrEqual(t, len(infos), 30)
}
