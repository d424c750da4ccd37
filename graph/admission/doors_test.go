package admission_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

// TestDoors_ShutServerHasNoFinding goes through the list of the tool graphql-cop.
func TestDoors_ShutServerHasNoFinding(t *testing.T) {
	p := program.Start(t, "--introspection=false", "--playground=false")
	refused := func(request func(string) *http.Request) func(*testing.T) {
		return func(t *testing.T) {
			answer := gqltest.Do(t, request(p.URL))
			assert.NotEqual(t, 200, answer.Status)
			assert.NotEmpty(t, answer.Errors(), "%s", answer.Body)
			for _, finding := range []string{"Did you mean", `"data"`, "exception", "stacktrace", "goroutine", ".go:", "tracing"} {
				assert.NotContains(t, answer.Body, finding)
			}
			assertNoSchema(t, answer.Body)
		}
	}
	t.Run("suggestions for a field", refused(query("{ jo }")))
	t.Run("suggestions for an argument", refused(query("{ job(id: 1) { __typename } }")))
	t.Run("suggestions for a type", refused(query("{ job(ids: []) { ... on Jobb { id } } }")))
	t.Run("suggestions for a directive", refused(query("{ __typename @skipp(if: true) }")))
	t.Run("suggestions for a selection", refused(query("{ job }")))
	t.Run("suggestions for a variable's type", refused(query("query ($a: I) { job(ids: $a) { status { a } } }")))
	t.Run("a missing argument", refused(query("{ job { __typename } }")))
	t.Run("a wrong value", refused(query("{ job(ids: {a: 1}) { __typename } }")))
	t.Run("a wrong variable", refused(query("query ($ids: [ID!]!) { job(ids: $ids) { __typename } }", `{"ids": [{}]}`)))
	t.Run("introspection", refused(query("{ __schema { types { name } } }")))
	t.Run("introspection of a type", refused(query("{ a: __type(name: \"Query\") { name } }")))
	t.Run("introspection in a fragment", refused(query("{ ...a } fragment a on Query { __schema { __typename } }")))
	t.Run("introspection by GET", refused(get("{__schema{types{name}}}")))
	t.Run("circular introspection", refused(query("{ __schema { types { fields { type { fields { type { name } } } } } } }")))
	t.Run("the subgraph's schema", refused(query("{ _service { sdl } }")))
	t.Run("a representation", refused(query("query ($r: [_Any!]!) { _entities(representations: $r) { __typename } }", `{"r": [1]}`)))
	t.Run("alias overloading", refused(query("{"+each(101, " alias%d: __typename")+"}")))
	t.Run("array batching", refused(post(list(10, `{"query": "{ __typename }"}`), "Content-Type", asJSON)))
	t.Run("directive overloading", refused(query("{ __typename"+strings.Repeat(" @aa", 10)+" }")))
	t.Run("field duplication", refused(query("{"+strings.Repeat(" __typename", 500)+"}")))
	t.Run("GET mutation", refused(get("mutation { __typename }")))
	t.Run("form POST", refused(post("query=%7B__typename%7D", "Content-Type", "application/x-www-form-urlencoded")))
	t.Run("unhandled errors", refused(query("qwerty { abc }")))
	t.Run("unhandled errors in JSON", refused(post("{", "Content-Type", asJSON)))

	t.Run("IDE", func(t *testing.T) {
		for _, path := range []string{"/", "/graphiql", "/playground", "/console", "/altair", "/assets/", "/schema.graphqls"} {
			answer := gqltest.Do(t, send(http.MethodGet, path, "", "Accept", "text/html")(p.URL))
			assert.Equal(t, 404, answer.Status, path)
			assert.NotContains(t, strings.ToLower(answer.Body), "graphiql", path)
		}
		assert.NotContains(t, gqltest.Do(t, send(http.MethodGet, "/graphql", "", "Accept", "text/html")(p.URL)).Body, "<html")
	})
	t.Run("tracing", func(t *testing.T) {
		answer := gqltest.Do(t, post(`{"query": "{ __typename }"}`, "Content-Type", asJSON, "X-Apollo-Tracing", "1", "apollo-federation-include-trace", "ftv1")(p.URL))
		assert.JSONEq(t, `{"data": {"__typename": "Query"}}`, answer.Body)
	})
	t.Run("GET is for reading only", func(t *testing.T) {
		answer := gqltest.Do(t, get("{__typename}")(p.URL))
		assert.Equal(t, "nosniff", answer.Header.Get("X-Content-Type-Options"))
		assert.Equal(t, "same-origin", answer.Header.Get("Cross-Origin-Resource-Policy"))
		assert.Empty(t, answer.Header.Get("Access-Control-Allow-Origin"))
	})
	t.Run("GET support", func(t *testing.T) {
		closed := program.Start(t, "--get=false")
		answer := gqltest.Do(t, get("{__typename}")(closed.URL))
		assert.Equal(t, 405, answer.Status)
		assert.Equal(t, "POST", answer.Header.Get("Allow"))
	})
}

// assertNoSchema finds no name that only this schema has.
func assertNoSchema(t *testing.T, body string) {
	t.Helper()
	schema, err := os.ReadFile("../../schema.graphqls")
	require.NoError(t, err)
	names := regexp.MustCompile(`(?m)^(?:type|enum|union|scalar) (\w+)|^  (\w+)[:(]`).FindAllStringSubmatch(string(schema), -1)
	require.Greater(t, len(names), 30)
	public := map[string]bool{"name": true, "type": true, "kind": true, "status": true, "value": true, "options": true, "Query": true, "JSON": true, "settings": true}
	for _, found := range names {
		name := found[1] + found[2]
		if !public[name] { // words of English that an error may have as well
			assert.NotRegexp(t, `\b`+name+`\b`, body)
		}
	}
}

func TestDoors_SchemaIsShownWhereItIsAllowed(t *testing.T) {
	open := program.Start(t)
	assert.Contains(t, gqltest.Do(t, query("{ __schema { types { name } } }")(open.URL)).Body, "JobResult")
	assert.Contains(t, gqltest.Do(t, query("{ jo }")(open.URL)).Message(), `Did you mean "job"?`)
	assert.Contains(t, gqltest.Do(t, query("{ _service { sdl } }")(open.URL)).Body, "union JobResult")
	assert.Equal(t, 200, gqltest.Do(t, send(http.MethodGet, "/schema.graphqls", "")(open.URL)).Status)
	assert.Equal(t, 200, gqltest.Do(t, send(http.MethodGet, "/", "")(open.URL)).Status)

	subgraph := program.Start(t, "--introspection=false", "--subgraph-sdl")
	assert.Contains(t, gqltest.Do(t, query("{ _service { sdl } }")(subgraph.URL)).Body, "union JobResult")
	assert.NotEqual(t, 200, gqltest.Do(t, query("{ __schema { __typename } }")(subgraph.URL)).Status)
}

func TestDoors_EveryAnswerHasSecurityHeaders(t *testing.T) {
	p := program.Start(t)
	for name, request := range map[string]func(string) *http.Request{
		"an answer":  query("{ __typename }"),
		"a refusal":  post("{", "Content-Type", asJSON),
		"playground": send(http.MethodGet, "/", ""),
		"schema":     send(http.MethodGet, "/schema.graphqls", ""),
		"health":     send(http.MethodGet, "/healthz", ""),
		"readiness":  send(http.MethodGet, "/readyz", ""),
		"no page":    send(http.MethodGet, "/nothing", ""),
	} {
		t.Run(name, func(t *testing.T) {
			header := gqltest.Do(t, request(p.URL)).Header
			assert.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
			assert.Equal(t, "no-referrer", header.Get("Referrer-Policy"))
			assert.Equal(t, "DENY", header.Get("X-Frame-Options"))
			assert.Contains(t, header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
			if strings.Contains(header.Get("Content-Type"), "json") {
				assert.Equal(t, "private, no-store", header.Get("Cache-Control"))
			}
		})
	}
}

func TestDoors_OtherOrigins(t *testing.T) {
	const ours, other = "https://app.example.com", "https://evil.example.com"
	from := func(t *testing.T, p *program.Program, method, origin string) http.Header {
		request := send(method, "/graphql", `{"query": "{ __typename }"}`, "Content-Type", asJSON, "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
		return gqltest.Do(t, request(p.URL)).Header
	}
	for name, c := range map[string]struct {
		args    []string
		origin  string
		allowed string
	}{
		"closed by default": {nil, ours, ""},
		"an origin":         {[]string{"--cors-origin=https://a.example.com," + ours}, ours, ours},
		"another origin":    {[]string{"--cors-origin=" + ours}, other, ""},
		"null":              {[]string{"--cors-origin=" + ours}, "null", ""},
		"any origin":        {[]string{"--cors-origin=*"}, other, "*"},
	} {
		t.Run(name, func(t *testing.T) {
			p := program.Start(t, c.args...)
			for _, method := range []string{http.MethodPost, http.MethodOptions} {
				header := from(t, p, method, c.origin)
				assert.Equal(t, c.allowed, header.Get("Access-Control-Allow-Origin"), method)
				assert.Empty(t, header.Get("Access-Control-Allow-Credentials"), method)
			}
		})
	}
}

func TestDoors_OperationsInFlightAreBounded(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-release
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"JobId": "aa", "JobStatus": "Complete"}`))
	}))
	t.Cleanup(upstream.Close)
	p := program.Start(t, "--max-inflight=1", "--upstream-url="+upstream.URL, "--upstream-token=aa")
	first := make(chan gqltest.Answer)
	go func() { first <- gqltest.Do(t, query(`{ job(ids: ["aa"]) { __typename } }`)(p.URL)) }()
	<-asked

	start := time.Now()
	answer := gqltest.Do(t, query("{ __typename }")(p.URL))
	t.Logf("refused in %v", time.Since(start))
	assert.Equal(t, 503, answer.Status)
	assert.Equal(t, "1", answer.Header.Get("Retry-After"))
	assert.Equal(t, "OVERLOADED", answer.Code())

	close(release)
	assert.Equal(t, 200, (<-first).Status)
	assert.Equal(t, 200, gqltest.Do(t, query("{ __typename }")(p.URL)).Status)
}

// Under overload, what is cached is still answered, and a query that would have to be
// executed is refused before it is read.
func TestOverload_CachedResponsesNeedNoPermit(t *testing.T) {
	asked, release := make(chan struct{}, 2), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("job_id")
		if id == "aa" {
			asked <- struct{}{}
			<-release
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"JobId": %q, "JobStatus": "Complete", "ReturnDate": "2014-08-27T14:10:42"}`, id)
	}))
	t.Cleanup(upstream.Close)
	p := program.Start(t, "--max-inflight=1", "--upstream-url="+upstream.URL, "--upstream-token=aa")
	cached := query(`{ job(ids: ["bb"]) { ... on Job { id } } }`)
	for range 2 {
		require.Equal(t, 200, gqltest.Do(t, cached(p.URL)).Status)
	}
	first := make(chan gqltest.Answer)
	go func() { first <- gqltest.Do(t, query(`{ job(ids: ["aa"]) { __typename } }`)(p.URL)) }()
	<-asked
	for _, mistake := range []string{`{ job(ids: [["aa"]]) { __typename } }`, `query ($ids: [ID!]!) { job(ids: $ids) { __typename } }`} {
		answer := gqltest.Do(t, query(mistake)(p.URL))
		assert.NotEqual(t, 503, answer.Status, "what is not executed needs no permit: %s", answer.Body)
		assert.NotEmpty(t, answer.Code())
		assert.NotEqual(t, "OVERLOADED", answer.Code())
	}
	for range 5 {
		answer := gqltest.Do(t, query(`{ job(ids: ["cc"]) { ... on Job { id } } }`)(p.URL))
		assert.Equal(t, 503, answer.Status)
		assert.Equal(t, "1", answer.Header.Get("Retry-After"))
		assert.Equal(t, "OVERLOADED", answer.Code())
		answer = gqltest.Do(t, cached(p.URL))
		assert.Equal(t, 200, answer.Status)
		assert.Contains(t, answer.Body, `"id":"bb"`)
	}
	close(release)
	assert.Equal(t, 200, (<-first).Status)
	assert.Equal(t, 200, gqltest.Do(t, query("{ __typename }")(p.URL)).Status)
}

// Five hundred operations of one token hang, and those of another one are executed.
func TestOverload_HangingOperationsOfOneTokenLeaveOthersTheirs(t *testing.T) {
	release := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("api_token") == "aa" {
			<-release
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"JobId": %q, "JobStatus": "Pending"}`, r.URL.Query().Get("job_id"))
	}))
	t.Cleanup(upstream.Close)
	end := sync.OnceFunc(func() { close(release) })
	t.Cleanup(end)
	p := program.Start(t, "--upstream-timeout=5m", "--upstream-url="+upstream.URL)
	ask := func(token string, id int) gqltest.Answer {
		return gqltest.Query(t, p.URL+"/graphql", fmt.Sprintf(`{ job(ids: ["%d"]) { ... on Job { id } } }`, id), nil, "Authorization", "Bearer "+token)
	}
	const all, hanging = 500, 210 // one token's share of 256
	var refused atomic.Int32
	var askers sync.WaitGroup
	for id := range all {
		askers.Go(func() { // until it hangs, as there may be fewer permits while all of them come at once
			for ask("aa", id).Status == 503 {
				refused.Add(1)
				select {
				case <-release:
					return
				case <-time.After(200 * time.Millisecond):
				}
			}
		})
	}
	require.Eventually(t, func() bool { return refused.Load() >= 2*(all-hanging) }, program.Timeout, time.Millisecond)
	for id := range 20 {
		before := refused.Load()
		answer := ask("bb", id)
		assert.Equal(t, 200, answer.Status, answer.Body)
		assert.Contains(t, answer.Body, fmt.Sprintf(`"id":"%d"`, id))
		require.Eventually(t, func() bool { return refused.Load() > before }, program.Timeout, time.Millisecond, "meanwhile")
	}
	end()
	askers.Wait()
}

func TestDoors_WrongSettingsAreSaidInOneLine(t *testing.T) {
	notJSON := filepath.Join(t.TempDir(), "manifest.json")
	require.NoError(t, os.WriteFile(notJSON, []byte("[]"), 0o600))
	for _, flag := range []string{"--max-tokens=0", "--max-depth=-1", "--max-aliases=0", "--max-root-fields=0", "--max-directives=0",
		"--max-ids=0", "--max-representations=0", "--max-upstream-calls=0", "--max-response-fields=0", "--max-body-bytes=0",
		"--max-inflight=0", "--cors-origin=example.com", "--cors-origin=https://example.com/",
		"--cors-origin=https://*.example.com", "--cors-origin=https://a.example.com,*.example.com", "--cors-origin=ftp://example.com", "--cors-origin=https://user@example.com",
		"--allowed-host=https://example.com", "--allowed-host=example.com:80", "--allowed-host=*.example.com",
		"--trusted-documents=" + notJSON,
		"--trusted-documents=/nothing.json", "--introspection=perhaps"} {
		t.Run(flag, func(t *testing.T) {
			name, _, _ := strings.Cut(flag, "=")
			assert.Contains(t, program.Refuse(t, "--listen=127.0.0.1:0", "--admin-listen=", flag), name)
		})
	}
}
