package graph_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
)

// byTransport answers a query of jobUpdated's first state, or of a job, with
// these lines Authorization.
var byTransport = map[string]func(t *testing.T, s *liveServer, lines []string) string{
	"POST": func(t *testing.T, s *liveServer, lines []string) string {
		return answerTo(t, lines, http.MethodPost, s.URL, "application/json", `{"query": "`+oneLiveJob+`"}`)
	},
	"GET": func(t *testing.T, s *liveServer, lines []string) string {
		return answerTo(t, lines, http.MethodGet, s.URL+"/?query="+url.QueryEscape(strings.ReplaceAll(oneLiveJob, `\`, "")), "application/json", "")
	},
	"SSE by POST": func(t *testing.T, s *liveServer, lines []string) string {
		return answerTo(t, lines, http.MethodPost, s.URL, "text/event-stream", `{"query": "`+oneLiveJob+`"}`)
	},
	"SSE by GET": func(t *testing.T, s *liveServer, lines []string) string {
		return answerTo(t, lines, http.MethodGet, s.URL+"/?query="+url.QueryEscape(strings.ReplaceAll(oneLiveJob, `\`, "")), "text/event-stream", "")
	},
	"connection_init": func(t *testing.T, s *liveServer, lines []string) string {
		return answerToInit(t, s, nil, lines)
	},
	"WebSocket": func(t *testing.T, s *liveServer, lines []string) string {
		return answerToInit(t, s, lines, nil)
	},
}

// answerToInit has lines of the upgrade request, and of connection_init.
func answerToInit(t *testing.T, s *liveServer, upgrade, lines []string) string {
	t.Helper()
	c := s.dial(t, http.Header{"Authorization": upgrade})
	c.send(initPayload(lines))
	require.Equal(t, `{"type":"connection_ack"}`, c.receive())
	c.subscribe("a", strings.ReplaceAll(oneLiveJob, `\`, ""))
	return c.receive()
}

// What is wrong with the upgrade request's lines is not made good by connection_init, which
// otherwise says who asks.
func TestAuthorization_OfTheUpgradeAndOfConnectionInit(t *testing.T) {
	t.Parallel()
	good, s := "Bearer "+liveToken, startLive(t, nil)
	for _, test := range []struct {
		upgrade []string
		want    string
	}{
		{nil, `"Job"`},
		{[]string{"Bearer abcd"}, `"Job"`},
		{[]string{"Basic YTpi"}, `"Job"`}, // a proxy's in front
		{[]string{good, good}, "BAD_API_TOKEN"},
		{[]string{""}, "BAD_API_TOKEN"},
	} {
		assert.Contains(t, answerToInit(t, s, test.upgrade, []string{good}), test.want, "%q", test.upgrade)
	}
}

// initPayload has each of the lines, in names that are equal.
func initPayload(lines []string) string {
	var members []string
	for _, line := range lines {
		members = append(members, fmt.Sprintf(`"Authorization": %q`, line))
	}
	return `{"type": "connection_init", "payload": {` + strings.Join(members, ", ") + `}}`
}

const oneLiveJob = `{ job(ids: [\"` + liveJob + `\"]) { __typename ... on ApiError { type } } }`

func answerTo(t *testing.T, lines []string, method, address, accept, body string) string {
	t.Helper()
	request := gqltest.Request(t, method, address, body, "Accept", accept)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header["Authorization"] = lines
	return gqltest.Do(t, request).Body
}

// TestAuthorization_IsOneLine holds for each transport: the server's own token is
// lent to who sends no line at all, and of several lines none is chosen.
func TestAuthorization_IsOneLine(t *testing.T) {
	t.Parallel()
	good := "Bearer " + liveToken
	for transport, ask := range byTransport {
		s := startLive(t, nil)
		for _, test := range []struct {
			name  string
			lines []string
			want  string
		}{
			{"none: the server's own", nil, `"Job"`},
			{"one", []string{good}, `"Job"`},
			{"an empty one", []string{""}, "BAD_API_TOKEN"},
			{"the same twice", []string{good, good}, "BAD_API_TOKEN"},
			{"the second is another's", []string{good, "Bearer abcd"}, "BAD_API_TOKEN"},
			{"the first is empty", []string{"", good}, "BAD_API_TOKEN"},
			{"the second is empty", []string{good, ""}, "BAD_API_TOKEN"},
			{"two in one line", []string{good + ", " + good}, "BAD_API_TOKEN"},
		} {
			t.Run(transport+"/"+test.name, func(t *testing.T) {
				assert.Contains(t, ask(t, s, test.lines), test.want)
			})
		}
	}
}
