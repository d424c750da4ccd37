package graph_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/upstream"
)

// eventStream reads server-sent events by hand.
type eventStream struct {
	t        *testing.T
	response *http.Response
	lines    *bufio.Scanner
}

func (s *liveServer) stream(t *testing.T, method, token, query string, ids ...string) *eventStream {
	t.Helper()
	variables, err := json.Marshal(map[string]any{"ids": ids})
	require.NoError(t, err)
	address, body := s.URL+"/graphql", ""
	if method == http.MethodGet {
		address += "?" + url.Values{"query": {query}, "variables": {string(variables)}}.Encode()
	} else {
		text, _ := json.Marshal(map[string]any{"query": query, "variables": json.RawMessage(variables)})
		body = string(text)
	}
	request := gqltest.Request(t, method, address, body, "Accept", "text/event-stream")
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response := gqltest.Open(t, request)
	require.Equal(t, "text/event-stream; charset=utf-8", response.Header.Get("Content-Type"))
	return &eventStream{t, response, bufio.NewScanner(response.Body)}
}

// next is the lines of the next event, without comments; none at the end.
func (s *eventStream) next() (event []string) {
	s.t.Helper()
	for s.lines.Scan() {
		line := s.lines.Text()
		switch {
		case strings.HasPrefix(line, ":"):
		case line != "":
			event = append(event, line)
		case event != nil:
			return event
		}
	}
	return event
}

func TestSSE_EventStreamSendsEachChangeAndCompletes(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s := startBrief(t)
			stream := s.stream(t, method, "", subscribing, liveJob)
			assert.Equal(t, "private, no-store", stream.response.Header.Get("Cache-Control"))
			assert.Equal(t, "Authorization, Accept", stream.response.Header.Get("Vary"))
			assert.Equal(t, []string{"event: next", `data: {"data":{"jobUpdated":{"id":"0001","status":"PENDING"}}}`}, stream.next())
			time.Sleep(serverDeadline + 100*time.Millisecond)
			s.jobs.set(liveJob, upstream.StatusMediaFailure, "")
			assert.Equal(t, []string{"event: next", `data: {"data":{"jobUpdated":{"id":"0001","status":"MEDIA_FAILURE"}}}`}, stream.next())
			assert.Equal(t, []string{"event: complete", "data: "}, stream.next())
			assert.Nil(t, stream.next())
		})
	}
}

func TestSSE_EventStreamAnswersQueriesAndMistakes(t *testing.T) {
	t.Parallel()
	s := startLive(t, nil)
	for _, test := range []struct{ query, token, want string }{
		{`{ __typename }`, "", `{"data":{"__typename":"Query"}}`},
		{subscribing, "abcd", `{"data":{"jobUpdated":{"jobId":"0001","type":"BAD_API_TOKEN"}}}`},
		{`{ nonsense }`, "", "GRAPHQL_VALIDATION_FAILED"},
		{`{`, "", "GRAPHQL_PARSE_FAILED"},
		{`subscription { jobUpdated(ids: ["1", "2", "3", "4"]) { __typename } }`, "", "BAD_USER_INPUT"},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			stream := s.stream(t, method, test.token, test.query, liveJob)
			event := stream.next()
			require.Len(t, event, 2, test.query)
			assert.Equal(t, "event: next", event[0])
			assert.Contains(t, event[1], test.want)
			assert.Equal(t, []string{"event: complete", "data: "}, stream.next(), test.query)
		}
	}
}

func TestSSE_EventStreamRefusesWhatIsNoRequest(t *testing.T) {
	t.Parallel()
	s := startLive(t, nil)
	const canary = "CANARY"
	for _, test := range []struct {
		name, method, query, contentType, body string
		status                                 int
	}{
		{"no query", http.MethodGet, "", "", "", http.StatusBadRequest},
		{"variables", http.MethodGet, "?query={__typename}&variables=" + canary, "", "", http.StatusBadRequest},
		{"JSON", http.MethodPost, "", "application/json", canary, http.StatusBadRequest},
		{"empty", http.MethodPost, "", "application/json", "{}", http.StatusBadRequest},
		{"form", http.MethodPost, "", "application/x-www-form-urlencoded", "query=" + canary, http.StatusUnsupportedMediaType},
		{"size", http.MethodPost, "", "application/json", `{"query": "` + strings.Repeat("x", 300<<10), http.StatusRequestEntityTooLarge},
	} {
		answer := gqltest.Do(t, gqltest.Request(t, test.method, s.URL+"/graphql"+test.query, test.body,
			"Accept", "text/event-stream", "Content-Type", test.contentType))
		assert.Equal(t, test.status, answer.Status, test.name)
		assert.Contains(t, answer.Body, `{"errors":[{"message":`, test.name)
		assert.NotContains(t, answer.Body, canary, test.name)
	}
}

func TestSSE_JSONIsServedWhereItIsPreferred(t *testing.T) {
	t.Parallel()
	s := startLive(t, nil)
	for accept, want := range map[string]string{
		"text/event-stream":                                    "text/event-stream; charset=utf-8",
		"text/event-stream, multipart/mixed":                   "text/event-stream; charset=utf-8",
		"application/graphql-response+json, text/event-stream": "application/graphql-response+json",
		"application/json, text/event-stream":                  "application/json",
		"text/event-stream;q=0, application/json":              "application/json",
		"text/event-stream;q=0.0, application/json":            "application/json",
	} {
		answer := gqltest.Post(t, s.URL+"/graphql", `{"query": "{ __typename }"}`, "Accept", accept)
		assert.Contains(t, answer.Header.Get("Content-Type"), want, accept)
	}
}

func TestSSE_ASubscriptionNeedsAStream(t *testing.T) {
	t.Parallel()
	s := startLive(t, nil)
	answer := gqltest.Query(t, s.URL+"/graphql", `subscription { jobUpdated(ids: "0001") { __typename } }`, nil, "Accept", "application/json, text/event-stream")
	assert.Contains(t, answer.Body, "A subscription needs a WebSocket")
	assert.Contains(t, answer.Body, "before any JSON", "it has the stream's type already")
	assert.Zero(t, s.poller.Jobs())
}
