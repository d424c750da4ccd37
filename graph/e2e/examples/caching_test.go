package examples_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/freeport"
)

const (
	settledJob = "aa"
	activeJob  = "bb"
)

// ownNames is a job API that gives each token jobs of its own: they have the token for a name.
func ownNames(t *testing.T) string {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := `"Complete", "ReturnDate": "2014-08-27T14:10:42"`
		if r.URL.Query().Get("job_id") == activeJob {
			status = `"Pending"`
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"JobId": %q, "JobName": %q, "JobStatus": %s}`, r.URL.Query().Get("job_id"), r.URL.Query().Get("api_token"), status)
	}))
	t.Cleanup(api.Close)
	return api.URL
}

// front passes requests on and notes them: what a cache before it has answered is not there.
type front struct {
	*httptest.Server
	mu    sync.Mutex
	lines []string // METHOD STATUS TOKEN
}

func newFront(t *testing.T, target string) *front {
	t.Helper()
	to, err := url.Parse(target)
	require.NoError(t, err)
	f := &front{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.Request.URL.Path == "/graphql" {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.lines = append(f.lines, fmt.Sprint(r.Request.Method, " ", r.StatusCode, " ", strings.TrimPrefix(r.Request.Header.Get("Authorization"), "Bearer ")))
		}
		return nil
	}
	f.Server = httptest.NewServer(proxy)
	t.Cleanup(f.Close)
	return f
}

// seen is what came since it was last asked.
func (f *front) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := f.lines
	f.lines = nil
	return seen
}

// Chromium's own cache keeps the answers of each token by themselves, for as long as they are
// said to be good, and asks with the ETag after that.
func TestCaching_Chromium(t *testing.T) {
	t.Parallel()
	needsNode(t)
	program.NeedTool(t, "chromium")
	p := program.Start(t, "--example", "--upstream-url", ownNames(t))
	f := newFront(t, p.URL)
	tokens := []string{apolloCanary, hiveCanary}
	var names []string
	require.NoError(t, json.Unmarshal([]byte(run(t, "node", "caching/browser.js", f.URL, strings.Join(tokens, ","), settledJob+","+activeJob)), &names))
	one, two := slices.Repeat(tokens[:1], 3), slices.Repeat(tokens[1:], 3)
	assert.Equal(t, slices.Concat(one, two, one, two), names)
	// The page asks without a token, by POST.
	got := slices.DeleteFunc(f.seen(), func(line string) bool { return !strings.HasPrefix(line, "GET") })
	want := []string{"GET 200 " + apolloCanary, "GET 200 " + hiveCanary}
	for _, token := range tokens { // the other job's max-age is 0
		want = append(want, "GET 200 "+token, "GET 304 "+token, "GET 304 "+token)
	}
	assert.Equal(t, want, got)
}

// nginx stores no answer; told to store them all the same, it mixes no two callers.
func TestCaching_Nginx(t *testing.T) {
	t.Parallel()
	nginx := program.NeedTool(t, "nginx")
	p := program.Start(t, "--upstream-url", ownNames(t))
	config, err := os.ReadFile("caching/nginx.conf")
	require.NoError(t, err)
	serve := func(t *testing.T, config string) (*front, string) {
		f := newFront(t, p.URL)
		port, dir := freeport.Get(t), t.TempDir()
		own := strings.NewReplacer("127.0.0.1:8000", "127.0.0.1:"+port, "http://127.0.0.1:8080", f.URL)
		file := filepath.Join(dir, "nginx.conf")
		require.NoError(t, os.WriteFile(file, []byte(own.Replace(config)), 0o600))
		command := exec.Command(nginx, "-p", dir, "-c", file)
		require.NoError(t, command.Start())
		t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
		address := "http://127.0.0.1:" + port
		require.Eventually(t, func() bool {
			response, err := http.Get(address + "/healthz")
			if err == nil {
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
			return err == nil
		}, nodeTimeout, 10*time.Millisecond)
		return f, address + "/graphql?query=" + url.QueryEscape(`{ jobById(id: "aa") { ... on Job { name } } }`)
	}
	ask := func(t *testing.T, address, token string, headers ...string) gqltest.Answer {
		answer := gqltest.Get(t, address, append([]string{"Authorization", "Bearer " + token}, headers...)...)
		if answer.Status == http.StatusOK {
			assert.Equal(t, `{"jobById":{"name":"`+token+`"}}`, answer.Data())
		}
		return answer
	}
	t.Run("as it stands", func(t *testing.T) {
		f, address := serve(t, string(config))
		for range 2 {
			for _, token := range []string{apolloCanary, hiveCanary} {
				answer := ask(t, address, token)
				assert.Equal(t, "MISS", answer.Header.Get("X-Cache"))
				assert.Regexp(t, `^private, max-age=\d+$`, answer.Header.Get("Cache-Control"))
				assert.Equal(t, http.StatusOK, answer.Status)
			}
		}
		assert.Len(t, f.seen(), 4)
	})
	t.Run("against what it is told", func(t *testing.T) {
		f, address := serve(t, strings.NewReplacer("# proxy_ignore", "proxy_ignore", "# proxy_cache_valid", "proxy_cache_valid").Replace(string(config)))
		for _, want := range []string{"MISS", "HIT", "HIT"} {
			for _, token := range []string{apolloCanary, hiveCanary} {
				assert.Equal(t, want, ask(t, address, token).Header.Get("X-Cache"))
			}
		}
		answer := gqltest.Get(t, address)
		assert.Equal(t, "MISS", answer.Header.Get("X-Cache"))
		assert.NotContains(t, answer.Body, "c0ffee", "a caller without a token")
		assert.Len(t, f.seen(), 3)
	})
}

// Hive's gateway keeps answers by max-age, each caller's by themselves.
func TestCaching_HiveGateway(t *testing.T) {
	t.Parallel()
	needsNode(t)
	f := newFront(t, program.Start(t, "--upstream-url", ownNames(t)).URL)
	dir := t.TempDir()
	supergraph := filepath.Join(dir, "supergraph.graphql")
	require.NoError(t, os.WriteFile(supergraph, []byte(run(t, "node", "federation/compose.js", "jobs="+f.URL+"/graphql")), 0o600))
	gateway := start(t, `Listening on (http://[0-9.:]+)`, "node_modules/.bin/hive-gateway", "supergraph", supergraph,
		"--config-path", "federation/gateway-cache.config.js", "--host", "127.0.0.1", "--port", freeport.Get(t)) + "/graphql"
	f.seen()
	asked := func(id string) []string {
		for range 3 {
			for _, token := range []string{apolloCanary, hiveCanary} {
				answer := gqltest.Do(t, post(t, gateway, token, `{"query": "{ jobById(id: \"`+id+`\") { ... on Job { name } ... on ApiError { type } } }"}`))
				require.Equal(t, http.StatusOK, answer.Status, answer.Body)
				if id != "zz" {
					assert.Equal(t, `{"jobById":{"name":"`+token+`"}}`, answer.Data())
				}
			}
		}
		return f.seen()
	}
	assert.Equal(t, []string{"POST 200 " + apolloCanary, "POST 200 " + hiveCanary}, asked(settledJob))
	assert.Len(t, asked(activeJob), 6, "its max-age is 0")
	assert.Len(t, asked("zz"), 6, "an error is not kept")
}
