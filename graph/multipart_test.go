package graph_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/upstream"
)

// boundary is what a part ends with. Clients read a part when that has come, and Go's own
// reader later: with what follows it.
const boundary = "\r\n--graphql"

// parts reads a multipart answer, heartbeats aside.
type parts struct {
	t      *testing.T
	reader *bufio.Reader
}

func (s *liveServer) multipart(t *testing.T, token, query string, ids ...string) *parts {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": map[string]any{"ids": ids}})
	require.NoError(t, err)
	request := gqltest.Request(t, http.MethodPost, s.URL+"/graphql", string(body), "Content-Type", "application/json",
		"Accept", `multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/json`)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response := gqltest.Open(t, request)
	mediaType, parameters, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/mixed", mediaType)
	require.Equal(t, "1.0", parameters["subscriptionspec"])
	assert.Equal(t, "private, no-store", response.Header.Get("Cache-Control"))
	require.Equal(t, "graphql", parameters["boundary"])
	p := &parts{t, bufio.NewReader(response.Body)}
	assert.Empty(t, p.until(boundary))
	return p
}

// until reads what comes before the end.
func (p *parts) until(end string) string {
	p.t.Helper()
	var text []byte
	for !bytes.HasSuffix(text, []byte(end)) {
		c, err := p.reader.ReadByte()
		require.NoError(p.t, err, "%s", text)
		text = append(text, c)
	}
	return strings.TrimSuffix(string(text), end)
}

// next is the next part's text, "" after the last one.
func (p *parts) next() string {
	p.t.Helper()
	for {
		if mark, err := p.reader.Peek(2); err != nil || string(mark) == "--" {
			rest, err := io.ReadAll(p.reader)
			require.NoError(p.t, err)
			require.Equal(p.t, "--\r\n", string(rest))
			return ""
		}
		assert.Equal(p.t, "\r\nContent-Type: application/json", p.until("\r\n\r\n"))
		if text := p.until(boundary); text != "{}" {
			return text
		}
	}
}

func TestMultipart_EachChangeIsAPart(t *testing.T) {
	t.Parallel()
	s := startBrief(t)
	answer := s.multipart(t, "", subscribing, liveJob)
	assert.Equal(t, `{"payload":{"data":{"jobUpdated":{"id":"0001","status":"PENDING"}}}}`, answer.next())
	time.Sleep(serverDeadline + 100*time.Millisecond)
	s.jobs.set(liveJob, upstream.StatusMediaFailure, "")
	assert.Equal(t, `{"payload":{"data":{"jobUpdated":{"id":"0001","status":"MEDIA_FAILURE"}}}}`, answer.next())
	assert.Empty(t, answer.next())
}

func TestMultipart_QueriesAndMistakes(t *testing.T) {
	t.Parallel()
	s := startLive(t, nil)
	for _, test := range []struct{ query, token, want string }{
		{`{ __typename }`, "", `{"payload":{"data":{"__typename":"Query"}}}`},
		{subscribing, "abcd", `{"payload":{"data":{"jobUpdated":{"jobId":"0001","type":"BAD_API_TOKEN"}}}}`},
		{`{ nonsense }`, "", `{"payload":{"errors":[{"message":`},
		{`subscription { jobUpdated(ids: ["1", "2", "3", "4"]) { __typename } }`, "", "BAD_USER_INPUT"},
	} {
		answer := s.multipart(t, test.token, test.query, liveJob)
		assert.Contains(t, answer.next(), test.want)
		assert.Empty(t, answer.next())
	}
}

func TestMultipart_ShutdownEndsIt(t *testing.T) {
	t.Parallel()
	s := startLive(t, nil)
	answer := s.multipart(t, "", subscribing, liveJob)
	assert.NotEmpty(t, answer.next())
	require.NoError(t, s.connections.Shutdown(t.Context()))
	assert.Empty(t, answer.next())
}

func TestMultipart_OnlyWhereItIsAsked(t *testing.T) {
	t.Parallel()
	s := startLive(t, nil)
	for accept, want := range map[string]string{
		"multipart/mixed;subscriptionSpec=1.0":                         "multipart/mixed",
		`application/json, multipart/mixed; subscriptionSpec="1.0"`:    "multipart/mixed",
		"multipart/mixed;deferSpec=20220824, application/json":         "application/json",
		"multipart/mixed;subscriptionSpec=1.0;q=0, application/json":   "application/json",
		"multipart/mixed;subscriptionSpec=1.0;q=0.0, application/json": "application/json",
		"multipart/mixed;subscriptionSpec=2.0, application/json":       "application/json",
	} {
		answer := gqltest.Post(t, s.URL+"/graphql", `{"query": "{ __typename }"}`, "Accept", accept)
		assert.Contains(t, answer.Header.Get("Content-Type"), want, accept)
	}
	foreign := gqltest.Post(t, s.URL+"/graphql", `{"query": "{ __typename }"}`, "Accept", "multipart/mixed;subscriptionSpec=1.0", "Origin", "https://evil.example.com")
	assert.Equal(t, http.StatusForbidden, foreign.Status)
}
