package admission_test

import (
	"encoding/base64"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

const (
	canary   = "c0ffee5ecdeadbea7b1ab1e5"
	password = "pa55w0rd-of-a-c4llb4ck"
)

// leaks are the forms in which the canary must never show: its parts of 8
// characters, in either case, and its encodings.
func leaks(secret string) []string {
	var forms []string
	for i := 0; i+8 <= len(secret); i++ {
		forms = append(forms, secret[i:i+8], strings.ToUpper(secret[i:i+8]))
	}
	for _, encoded := range []string{
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.URLEncoding.EncodeToString([]byte(secret)),
		hex.EncodeToString([]byte(secret)), url.QueryEscape(secret),
	} {
		forms = append(forms, strings.TrimRight(encoded, "="))
	}
	return forms
}

func assertNoLeak(t *testing.T, where, text, secret string) {
	t.Helper()
	for line := range strings.Lines(text) {
		for _, form := range leaks(secret) {
			if strings.Contains(line, form) {
				t.Errorf("%s shows %q: %s", where, form, line)
				return
			}
		}
	}
}

// leakyUpstream answers each id in a way of its own, and always tells what it was asked.
func leakyUpstream(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.String() + " token " + r.URL.Query().Get("api_token")
	refuse := func(status int, errorType string) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"ErrorType": "` + errorType + `", "ErrorComment": "You asked ` + asked + `"}`))
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Query().Get("job_id") {
	case "01":
		_, _ = w.Write([]byte(`{"JobId": "01", "JobStatus": "Complete", "ReturnTargets": {"url": [{"callback_url": "https://me:` + password + `@example.com/"}]}}`))
	case "02":
		refuse(400, "ITEM_NOT_FOUND")
	case "03":
		refuse(500, "BAD_API_TOKEN")
	case "04":
		_, _ = w.Write([]byte(asked))
	case "05":
		http.Redirect(w, r, "/elsewhere?"+r.URL.RawQuery, http.StatusFound)
	case "06":
		connection, _, _ := http.NewResponseController(w).Hijack()
		_, _ = io.WriteString(connection, "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"+asked)
		connection.Close()
	case "07":
		refuse(400, "NEVER_HEARD_OF_"+strings.ToUpper(r.URL.Query().Get("api_token")))
	case "08":
		refuse(429, "INVALID_QUERY")
	case "09":
		_, _ = w.Write([]byte(`{"JobId": "09", "JobStatus": "` + asked + `", "Priority": "` + r.URL.Query().Get("api_token") + `"}`))
	case "0a":
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html>" + asked))
	case "0b":
		connection, _, _ := http.NewResponseController(w).Hijack()
		_, _ = io.WriteString(connection, "HTTP/1.1 "+asked+"\r\n\r\n")
		connection.Close()
	}
}

func TestSecrets_NoTokenIsEverShown(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(leakyUpstream))
	t.Cleanup(upstream.Close)
	p := program.Start(t, "--upstream-url="+upstream.URL, "--upstream-timeout=2s", "--log-level=debug")
	const jobs = `{ job(ids: [\"01\" \"02\" \"03\" \"04\" \"05\" \"06\" \"07\" \"08\" \"09\" \"0a\" \"0b\" \"zz\"]) { ... on Job { id priority status returnTargets { kind } } ... on ApiError { type comment jobId upstreamType } } }`
	const entities = `{ _entities(representations: [{__typename: \"Job\", id: \"03\"} {__typename: \"Job\", id: \"04\"} {__typename: \"Job\"}]) { ... on Job { id } } }`
	var answers strings.Builder
	record := func(request *http.Request) {
		answer := gqltest.Do(t, request)
		answers.WriteString(answer.Body)
		_ = answer.Header.Write(&answers)
	}
	for name, request := range map[string]func(string) *http.Request{
		"jobs":                 post(`{"query": "`+jobs+`"}`, "Content-Type", asJSON, "Authorization", "Bearer "+canary),
		"entities":             post(`{"query": "`+entities+`"}`, "Content-Type", asJSON, "Authorization", "Bearer "+canary),
		"another scheme":       post(`{"query": "`+jobs+`"}`, "Content-Type", asJSON, "Authorization", "Basic "+canary),
		"no scheme":            post(`{"query": "`+jobs+`"}`, "Content-Type", asJSON, "Authorization", canary),
		"not hexadecimal":      post(`{"query": "`+jobs+`"}`, "Content-Type", asJSON, "Authorization", "Bearer z"+canary),
		"not JSON":             post(canary, "Content-Type", asJSON),
		"not GraphQL":          post(`{"query": "`+canary+` {"}`, "Content-Type", asJSON),
		"a field":              post(`{"query": "{ `+canary+` }"}`, "Content-Type", asJSON),
		"an operation's name":  post(`{"query": "{ __typename }", "operationName": "`+canary+`"}`, "Content-Type", asJSON),
		"variables":            post(`{"query": "query ($i: [ID!]!) { job(ids: $i) { __typename } }", "variables": {"i": {"`+canary+`": "`+canary+`"}}}`, "Content-Type", asJSON),
		"a persisted query":    post(`{"documentId": "`+canary+`"}`, "Content-Type", asJSON),
		"the content type":     post(`{"query": "{ __typename }"}`, "Content-Type", "application/"+canary),
		"Accept":               post(`{"query": "{ __typename }"}`, "Content-Type", asJSON, "Accept", "application/"+canary),
		"Origin":               post(`{"query": "{ __typename }"}`, "Content-Type", asJSON, "Origin", "https://"+canary),
		"the path":             send(http.MethodGet, "/graphql/"+canary, ""),
		"a path of the assets": send(http.MethodGet, "/assets/"+canary+"?"+canary, ""),
		"the query string":     send(http.MethodGet, "/graphql?query={a}&api_token="+canary, ""),
		"a wrong query string": send(http.MethodGet, "/graphql?%zz="+canary+";", ""),
		"a path that moves":    send(http.MethodGet, "//graphql", ""),
		"the method":           send(strings.ToUpper(canary), "/graphql", ""),
		"metrics":              func(string) *http.Request { return send(http.MethodGet, "/metrics", "")(p.AdminURL) },
	} {
		t.Run(name, func(t *testing.T) {
			before := answers.Len()
			record(request(p.URL))
			assertNoLeak(t, "the answer", answers.String()[before:], canary)
		})
	}
	for _, raw := range []string{
		canary + "\r\n\r\n",
		"GET /" + canary + " HTTP/9.9\r\nHost: localhost\r\n\r\n",
		"GET /graphql HTTP/1.1\r\nHost: " + canary + " x\r\n\r\n",
		"GET /graphql HTTP/1.1\r\nHost: localhost\r\n" + canary + "\r\n\r\n",
		"GET /graphql HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + canary + strings.Repeat("x", 64<<10) + "\r\n\r\n",
		"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + canary + "\r\n",
	} {
		assertNoLeak(t, "the answer to a malformed request", sendRaw(t, p.URL, raw), canary)
	}
	record(send(http.MethodGet, "/metrics", "")(p.AdminURL))
	assert.Contains(t, answers.String(), "jobgraph_upstream_call_seconds", "the metrics were read")
	assert.Contains(t, answers.String(), "UPSTREAM_MALFORMED", "the failures were reached")
	require.NoError(t, p.Stop(), "the log is whole")
	assert.Contains(t, p.Log(), "level=INFO", "the log was read")
	assertNoLeak(t, "answers and metrics", answers.String(), canary)
	assertNoLeak(t, "the log", p.Log(), canary)
	assertNoLeak(t, "the log", p.Log(), password)
	assertNoLeak(t, "answers that did not ask for it", answers.String(), password)
}

// sendRaw sends bytes that no client library would.
func sendRaw(t *testing.T, base, text string) string {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetDeadline(time.Now().Add(20*time.Second)))
	_, _ = io.WriteString(connection, text) // the server may close before the end
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	answer, _ := io.ReadAll(connection)
	return string(answer)
}
