package program_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/sandbox"
)

// figures is extensions.upstream.
type figures struct {
	Jobs, Calls, Cached, Coalesced, Retries int64
	Milliseconds                            *float64
}

func figuresOf(t *testing.T, body string) *figures {
	t.Helper()
	var answer struct {
		Extensions struct{ Upstream *figures }
	}
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	return answer.Extensions.Upstream
}

func TestAnswerTrace_FiguresAreWhatTheJobAPICounts(t *testing.T) {
	var asked, failing atomic.Int64
	jobs := sandbox.New(sandbox.Options{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if failing.Add(-1) >= 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		jobs.ServeHTTP(w, r)
	}))
	defer api.Close()
	p := program.Start(t, "--upstream-url", api.URL, "--upstream-token", sandbox.Token, "--answer-trace", "--cache-active", "1m")
	ids := func(from, to int) string {
		var quoted []string
		for n := from; n < to; n++ {
			quoted = append(quoted, fmt.Sprintf(`\"6000000000000000000000000000%04d\"`, n))
		}
		return `{"query": "{ a: job(ids: [` + strings.Join(quoted, ",") + `]) { __typename } b: job(ids: [` + quoted[0] + `]) { __typename } }"}`
	}
	for _, c := range []struct {
		from, to        int
		fails           int64
		jobs, cached    int64
		retries, expect int64
	}{
		{0, 10, 0, 10, 0, 0, 10},
		{0, 10, 0, 10, 10, 0, 0},
		{5, 15, 0, 10, 5, 0, 5},
		{20, 22, 1, 2, 0, 1, 3},
	} {
		failing.Store(c.fails)
		before := asked.Load()
		got := figuresOf(t, ask(t, p, ids(c.from, c.to), "JobGraph-Trace", "1"))
		require.NotNil(t, got)
		assert.Equal(t, asked.Load()-before, got.Calls, "%v", c)
		assert.Equal(t, []int64{c.jobs, c.cached, c.retries, c.expect}, []int64{got.Jobs, got.Cached, got.Retries, got.Calls}, "%v", c)
		assert.NotNil(t, got.Milliseconds)
	}
	assert.Nil(t, figuresOf(t, ask(t, p, ids(0, 10))), "who does not ask gets none")
	assert.Nil(t, figuresOf(t, ask(t, p, ids(0, 10))), "nor from the cache")
	assert.NotNil(t, figuresOf(t, ask(t, p, ids(0, 10), "JobGraph-Trace", "1")))

	// A browser's cache gives no figures of another request, nor an answer that has none.
	get := p.URL + "/graphql?query=" + url.QueryEscape(`{ jobById(id: "60000000000000000000000000000000") { __typename } }`)
	plain := gqltest.Get(t, get)
	etag := plain.Header.Get("Etag")
	require.NotEmpty(t, etag)
	assert.Contains(t, plain.Header.Values("Vary"), "JobGraph-Trace")
	traced := gqltest.Get(t, get, "JobGraph-Trace", "1", "If-None-Match", etag)
	assert.Equal(t, []any{http.StatusOK, "private, no-store", ""}, []any{traced.Status, traced.Header.Get("Cache-Control"), traced.Header.Get("Etag")})
	assert.NotNil(t, figuresOf(t, traced.Body))

	p = program.Start(t, "--upstream-url", api.URL, "--upstream-token", sandbox.Token)
	assert.Nil(t, figuresOf(t, ask(t, p, ids(0, 10), "JobGraph-Trace", "1")), "it is off unless set")
	assert.NotNil(t, figuresOf(t, ask(t, program.Start(t), ids(0, 10), "JobGraph-Trace", "1")), "and on with the sandbox")
}

// subscribe opens an event stream, which ends with the test.
func subscribe(t *testing.T, p *program.Program, query string) *http.Response {
	t.Helper()
	return gqltest.Open(t, gqltest.Request(t, http.MethodGet, p.URL+"/graphql?query="+url.QueryEscape(query), "", "Accept", "text/event-stream"))
}

func TestOperationLog_ALineEach(t *testing.T) {
	const canary = "c0ffee1234abcdef5678c0ffee123456"
	p := program.Start(t, "--log-level", "debug")
	headers := []string{"Authorization", "Bearer " + canary}
	ask(t, p, `{"query": "query Fine { job(ids: [\"d4fb871e07514304b23131b45f8caa1f\", \"00000000000000000000000000000000\"]) { ... on Job { name } } }"}`)
	ask(t, p, `{"query": "query Canary_`+canary+` ($ids: [ID!]!) { job(ids: $ids) { ... on ApiError { type } } }", "variables": {"ids": ["`+canary+`"]}}`, headers...)
	ask(t, p, `{"query": "{ nothing }"}`)
	subscribe(t, p, `subscription Live { jobUpdated(ids: "d4fb871e07514304b23131b45f8caa1f") { __typename } }`)
	require.Eventually(t, func() bool { return strings.Contains(p.Log(), "kind=subscription") }, program.Timeout, 10*time.Millisecond)
	require.NoError(t, p.Stop())
	for _, want := range []string{
		`level=DEBUG msg=operation name=Fine hash=[0-9a-f]{16} kind=query outcome=OK took=\S+ jobs=2 calls=2 cached=0 coalesced=0 retries=0 errors=ITEM_NOT_FOUND:1\n`,
		`level=DEBUG msg=operation name="" hash=[0-9a-f]{16} kind=query outcome=OK .* errors=BAD_API_TOKEN:1\n`, // a name that may be a token is none
		`level=INFO msg=operation name="" hash=\S* kind=\S* outcome=GRAPHQL_VALIDATION_FAILED `,                 // what fails is seen
		`level=DEBUG msg=operation name=Live .* kind=subscription outcome=OK .* events=1`,
	} {
		assert.Regexp(t, want, p.Log())
	}
	assert.NotContains(t, p.Log(), canary[:8])
	assert.NotContains(t, p.Log(), "d4fb871e")
}

func TestOperationLog_SlowOnesAreSeen(t *testing.T) {
	p := program.Start(t, "--log-slow", "1ns")
	ask(t, p, `{"query": "query Slow { __typename }"}`)
	require.NoError(t, p.Stop())
	assert.Regexp(t, `level=INFO msg=operation name=Slow .*slow=true`, p.Log())
	p = program.Start(t, "--log-slow", "0s")
	ask(t, p, `{"query": "query Slow { __typename }"}`)
	require.NoError(t, p.Stop())
	assert.NotContains(t, p.Log(), "msg=operation")
}

func TestMetrics_OperationsByABoundedNumberOfNames(t *testing.T) {
	p := program.Start(t)
	for n := range 300 {
		ask(t, p, fmt.Sprintf(`{"query": "query N%d { __typename }"}`, n))
	}
	text := p.Metrics(t)
	assert.Contains(t, text, `jobgraph_operation_seconds_count{kind="query",operation="N199",outcome="OK"} 1`)
	assert.NotContains(t, text, `operation="N200"`)
	assert.Contains(t, text, `jobgraph_operation_seconds_count{kind="query",operation="other",outcome="OK"} 100`)
}

func TestMetrics_TheCacheAndWhatIsTold(t *testing.T) {
	p := program.Start(t, "--callback-secret", "a secret of 24 characters", "--cache-answers=false")
	for range 3 {
		ask(t, p, askDocumented)
	}
	assert.EqualValues(t, 1, p.Metric(t, "jobgraph_cache_misses_total"))
	assert.EqualValues(t, 2, p.Metric(t, "jobgraph_cache_hits_total"))
	assert.EqualValues(t, 1, p.Metric(t, "jobgraph_cache_entries"))
	assert.Positive(t, p.Metric(t, "jobgraph_cache_bytes"))
	assert.EqualValues(t, 10, p.Metric(t, "jobgraph_upstream_retry_budget"))
	assert.EqualValues(t, 0, p.Metric(t, "jobgraph_operations_in_flight"))
	stream := gqltest.Get(t, p.URL+"/graphql?query="+url.QueryEscape(`subscription Live { jobUpdated(ids: "d4fb871e07514304b23131b45f8caa1f") { __typename } }`), "Accept", "text/event-stream")
	assert.Contains(t, stream.Body, "event: complete")
	require.Eventually(t, func() bool {
		return strings.Contains(p.Metrics(t), `jobgraph_subscriptions_total{operation="Live",outcome="OK"} 1`)
	}, program.Timeout, 10*time.Millisecond)
	assert.EqualValues(t, 1, p.Metric(t, "jobgraph_subscription_events_total"))
	assert.EqualValues(t, 1, p.Metric(t, "jobgraph_polls_total"))
}

// A gauge of queries that is high for as long as somebody watches would hide those that wait.
func TestMetrics_ASubscriptionIsNoQueryInFlight(t *testing.T) {
	p := program.Start(t)
	stream := bufio.NewScanner(subscribe(t, p, `subscription { jobUpdated(ids: "30000000000000000000000000000001") { __typename } }`).Body)
	for stream.Scan() && stream.Text() != "event: next" {
	}
	require.Equal(t, "event: next", stream.Text())
	assert.EqualValues(t, 1, p.Metric(t, "jobgraph_watched_jobs"))
	assert.EqualValues(t, 0, p.Metric(t, "jobgraph_operations_in_flight"))
}
