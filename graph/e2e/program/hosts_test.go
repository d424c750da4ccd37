package program_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

const name = "Captions.Example.com:443"

// by sends a request with the name in Host, as a browser does after DNS has turned the
// name to this machine.
func by(t *testing.T, p *program.Program, host, method, path, body string, headers ...string) gqltest.Answer {
	t.Helper()
	request := gqltest.Request(t, method, p.URL+path, body, append([]string{"Content-Type", "application/json"}, headers...)...)
	request.Host = host
	return gqltest.Do(t, request)
}

// every asks at every door by the name, and gives the statuses by door.
func every(t *testing.T, p *program.Program, host string) map[string]int {
	t.Helper()
	statuses := map[string]int{}
	for door, c := range map[string]struct {
		method, path, body string
		headers            []string
	}{
		"POST":      {http.MethodPost, "/graphql", documentedAndMissing, []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://" + host}},
		"GET":       {http.MethodGet, "/graphql?query={__typename}", "", nil},
		"preflight": {http.MethodOptions, "/graphql", "", []string{"Origin", "https://app.example.com", "Access-Control-Request-Method", "POST"}},
		"SSE":       {http.MethodPost, "/graphql", documentedAndMissing, []string{"Accept", "text/event-stream", "Origin", "http://" + host}},
		"WebSocket": {http.MethodGet, "/graphql", "", []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
			"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol", "graphql-transport-ws", "Origin", "http://" + host}},
		"playground": {http.MethodGet, "/", "", nil},
		"schema":     {http.MethodGet, "/schema.graphqls", "", nil},
		"health":     {http.MethodGet, "/healthz", "", nil},
		"readiness":  {http.MethodGet, "/readyz", "", nil},
		"callback":   {http.MethodGet, "/callbacks/x", "", nil},
		"nothing":    {http.MethodGet, "/nothing", "", nil},
	} {
		statuses[door] = by(t, p, host, c.method, c.path, c.body, c.headers...).Status
	}
	return statuses
}

// DNS rebinding: a page lets its own name point at the server and is of the server's
// origin, to the browser. Nothing is done for it, at no door.
func TestAllowedHost_ReboundNamesAreRefused(t *testing.T) {
	p := program.Start(t, "--cors-origin=*", "--callback-secret=0123456789abcdef")
	for door, status := range every(t, p, name) {
		assert.Equal(t, http.StatusMisdirectedRequest, status, door)
	}
	text := by(t, p, name, http.MethodPost, "/graphql", documentedAndMissing).Body
	assert.Contains(t, text, "--allowed-host NAME", "what to do")
	assert.NotContains(t, strings.ToLower(text), "example", "nothing of the request is quoted")
	counted := p.Metrics(t)
	assert.NotContains(t, counted, "jobgraph_upstream_call_seconds_count", "no call was made")
	assert.NotContains(t, counted, "jobgraph_operation_seconds_count", "no operation was run")
}

func TestAllowedHost_ANameThatIsListedIsAnswered(t *testing.T) {
	want := map[string]int{"POST": 200, "GET": 200, "preflight": 204, "SSE": 200, "WebSocket": 101, "playground": 200, "schema": 200,
		"health": 200, "readiness": 200, "callback": 404, "nothing": 404}
	p := program.Start(t, "--allowed-host=intern,captions.example.com", "--cors-origin=https://app.example.com", "--callback-secret=0123456789abcdef")
	for _, host := range []string{name, "intern", "localhost", "10.0.0.1:8080", "[::1]"} {
		assert.Equal(t, want, every(t, p, host), host)
	}
	assert.Equal(t, http.StatusMisdirectedRequest, by(t, p, "other.example.com", http.MethodGet, "/healthz", "").Status)
}

// Where no name is listed, any is answered unless a page could win by it: a token of the
// server's, or an address that it cannot reach by itself.
func TestAllowedHost_Defaults(t *testing.T) {
	const upstream = "--upstream-url=http://127.0.0.1:1"
	for _, c := range []struct {
		args   []string
		status int
	}{
		{[]string{"--listen=0.0.0.0:0", upstream}, http.StatusOK},
		{[]string{"--listen=0.0.0.0:0", upstream, "--upstream-token=aa"}, http.StatusMisdirectedRequest},
		{[]string{"--listen=0.0.0.0:0"}, http.StatusMisdirectedRequest},
		{[]string{"--listen=127.0.0.1:0", upstream}, http.StatusMisdirectedRequest},
		{[]string{"--listen=127.0.0.1:0", upstream, "--upstream-token=aa", "--allowed-host=*"}, http.StatusOK},
	} {
		assert.Equal(t, c.status, by(t, program.Start(t, c.args...), name, http.MethodGet, "/healthz", "").Status, "%v", c.args)
	}
}

func TestHosts_TheAdminAddressIsCalledLocally(t *testing.T) {
	p := program.Start(t, "--allowed-host=captions.example.com")
	p.URL = p.AdminURL
	assert.Equal(t, http.StatusMisdirectedRequest, by(t, p, name, http.MethodGet, "/metrics", "").Status)
	assert.Equal(t, http.StatusForbidden, by(t, p, "localhost:8081", http.MethodGet, "/metrics", "", "Sec-Fetch-Site", "cross-site").Status)
	assert.Equal(t, http.StatusOK, by(t, p, "localhost:8081", http.MethodGet, "/metrics", "").Status)
}

func TestHosts_PublicURLIsAnAddressAlone(t *testing.T) {
	const canary = "c0ffee1234abcdef"
	for address, why := range map[string]string{
		"captions.example.com":                         "must be like",
		"ftp://captions.example.com":                   "must be like",
		"https://:" + canary + "@captions.example.com": "a user or a password",
		"https://" + canary + "@captions.example.com":  "a user or a password",
		"https://captions.example.com#":                "a fragment",
		"https://captions.example.com/#" + canary:      "a fragment",
		"https://captions.example.com?":                "a query",
		"https://captions.example.com/?a=" + canary:    "a query",
		"https://captions.example.com/\x7f" + canary:   "must be like",
	} {
		said := program.Refuse(t, "callback-url", "--callback-secret", "0123456789abcdef", "--public-url", address)
		assert.Contains(t, said, "--public-url", address)
		assert.Contains(t, said, why, address)
		assert.NotContains(t, said, canary, address)
	}
	for _, address := range []string{"https://captions.example.com", "https://captions.example.com:8443/graph/", "http://[::1]:8080"} {
		printed, err := program.Command(t, "callback-url", "--callback-secret", "0123456789abcdef", "--public-url", address).Output()
		require.NoError(t, err)
		assert.Regexp(t, "^"+regexp.QuoteMeta(strings.TrimSuffix(address, "/"))+`/callbacks/[\w-]{43}\?job_id=\{job_id\}\n$`, string(printed))
	}
}
