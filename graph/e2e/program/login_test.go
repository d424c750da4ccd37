package program_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/sandbox"
)

const (
	askDocumented    = `{"query": "{ jobById(id: \"d4fb871e07514304b23131b45f8caa1f\") { ... on Job { name } ... on ApiError { type comment retryable } } }"}`
	answerDocumented = `{"data": {"jobById": {"name": "example_job"}}}`
)

// loginAPI is a sandbox whose tokens die fast, and what it was asked.
type loginAPI struct {
	*httptest.Server
	logins  atomic.Int64
	down    atomic.Bool
	mu      sync.Mutex
	queries []string
}

func newLoginAPI(t *testing.T, life time.Duration, accounts map[string]sandbox.Account) *loginAPI {
	api := &loginAPI{}
	jobs := sandbox.New(sandbox.Options{TokenLife: life, Accounts: accounts})
	api.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/login") {
			api.logins.Add(1)
		}
		api.mu.Lock()
		api.queries = append(api.queries, r.URL.RawQuery)
		api.mu.Unlock()
		if api.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		jobs.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	return api
}

func TestLogin_TheServerStaysLoggedIn(t *testing.T) {
	t.Parallel()
	const life = time.Second
	began := time.Now()
	api := newLoginAPI(t, life, nil)
	p := program.Start(t, "--upstream-url", api.URL, "--upstream-username", sandbox.Username,
		"--upstream-securekey", sandbox.SecureKey, "--cache=false", "--poll-interval", "1200ms")
	// Each poll finds the token dead, and the subscription goes on.
	query := url.QueryEscape(`subscription { jobUpdated(ids: "30000000000000000000000000000001") { ... on Job { status } ... on ApiError { type } } }`)
	stream := gqltest.Open(t, gqltest.Request(t, http.MethodGet, p.URL+"/graphql?query="+query, "", "Accept", "text/event-stream"))
	for range 3 {
		time.Sleep(life + 100*time.Millisecond)
		var callers sync.WaitGroup
		for n := range 50 {
			callers.Go(func() {
				ids := fmt.Sprintf(`{"query": "{ jobById(id: \"6000000000000000000000000000%04d\") { ... on Job { status } ... on ApiError { type comment } } }"}`, n)
				assert.JSONEq(t, `{"data": {"jobById": {"status": "COMPLETE"}}}`, ask(t, p, ids))
			})
		}
		callers.Wait()
	}
	before := api.logins.Load()
	// Where this machine is slow, tokens die while some still ask.
	assert.LessOrEqual(t, before, 10+int64(time.Since(began)/life), "one for all who are refused")
	assert.Contains(t, ask(t, p, askDocumented, "Authorization", "Bearer c0ffee1234abcdef5678"), "BAD_API_TOKEN",
		"a caller's token is never replaced")
	assert.Equal(t, before, api.logins.Load())
	assert.Contains(t, p.Metrics(t), fmt.Sprintf("jobgraph_upstream_logins_total{outcome=\"OK\"} %d", before))
	require.NoError(t, p.Stop())
	events, _ := io.ReadAll(stream.Body)
	assert.Contains(t, string(events), `"status"`)
	assert.NotContains(t, string(events), `"type"`, "no event is an error")
	api.mu.Lock()
	defer api.mu.Unlock()
	for _, query := range api.queries {
		assert.NotContains(t, query, sandbox.SecureKey[:8])
		assert.NotContains(t, query, sandbox.Username)
	}
	assert.NotContains(t, p.Log(), sandbox.SecureKey[:8])
	assert.NotContains(t, p.Log(), sandbox.Username)
}

func TestLogin_WrongCredentialsAreSaidAndNoStorm(t *testing.T) {
	const user, password = "canary_user_c0ffee", "canary password that echoes"
	api := newLoginAPI(t, time.Hour, nil)
	p := program.Start(t, "--upstream-url", api.URL, "--upstream-username", user, "--upstream-password", password, "--log-level", "debug")
	var all strings.Builder
	for range 200 {
		all.WriteString(ask(t, p, askDocumented))
	}
	assert.Contains(t, all.String(), `"type":"LOGIN_INVALID"`)
	assert.LessOrEqual(t, api.logins.Load(), int64(4))
	all.WriteString(p.Metrics(t))
	require.NoError(t, p.Stop())
	assert.Equal(t, 1, strings.Count(p.Log(), "refuses the account's credentials"), p.Log())
	all.WriteString(p.Log())
	for _, canary := range []string{user, password, "canary"} {
		assert.NotContains(t, all.String(), canary)
	}
}

func TestLogin_AJobAPIThatIsDownAtStart(t *testing.T) {
	t.Parallel()
	api := newLoginAPI(t, time.Hour, nil)
	api.down.Store(true)
	p := program.Start(t, "--upstream-url", api.URL, "--upstream-username", sandbox.Username, "--upstream-password", sandbox.Password)
	assert.Contains(t, ask(t, p, askDocumented), "UPSTREAM_UNAVAILABLE")
	api.down.Store(false)
	require.Eventually(t, func() bool { return ask(t, p, askDocumented) == strings.ReplaceAll(answerDocumented, ": ", ":") },
		program.Timeout, 50*time.Millisecond)
}

func TestLogin_SecretsFromFiles(t *testing.T) {
	t.Parallel()
	api := newLoginAPI(t, time.Hour, nil)
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte("wrong\n"), 0o600))
	p := program.Start(t, "--upstream-url", api.URL, "--upstream-username", sandbox.Username, "--upstream-securekey-file", file)
	assert.Contains(t, ask(t, p, askDocumented), "LOGIN_INVALID")
	require.NoError(t, os.WriteFile(file, []byte(sandbox.SecureKey+"\n"), 0o600))
	require.Eventually(t, func() bool { return !strings.Contains(ask(t, p, askDocumented), "LOGIN_INVALID") }, program.Timeout, 50*time.Millisecond)
	assert.JSONEq(t, answerDocumented, ask(t, p, askDocumented))

	require.NoError(t, os.WriteFile(file, []byte(sandbox.Token+"\n"), 0o600))
	p = program.Start(t, "--upstream-url", api.URL, "--upstream-token-file", file)
	assert.JSONEq(t, answerDocumented, ask(t, p, askDocumented))
}

func TestLogin_WrongSettingsAreSaidInOneLine(t *testing.T) {
	const canary = "canary-c0ffee"
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for want, args := range map[string][]string{
		"needs one of":           {"--upstream-username", canary},
		"need --upstream-user":   {"--upstream-password", canary},
		"needs one of --":        {"--upstream-username", canary, "--upstream-password", canary, "--upstream-securekey", canary},
		"leave --upstream-token": {"--upstream-username", canary, "--upstream-password", canary, "--upstream-token", "c0ffee"},
		"the same setting":       {"--upstream-token-file", empty, "--upstream-token", "c0ffee"},
		"nothing in it":          {"--upstream-username", canary, "--upstream-password-file", empty},
		"no such file":           {"--upstream-token-file", empty + ".none"},
		"one line":               {"--upstream-username", canary, "--upstream-password", canary + "\n" + canary},
		"16 characters":          {"--callback-secret-file", empty},
	} {
		said := program.Refuse(t, append([]string{"--listen", "127.0.0.1:0", "--admin-listen", ""}, args...)...)
		assert.Contains(t, said, want)
		assert.NotContains(t, said, canary, want)
	}
}

func TestLogin_TheSandboxBySandboxFlags(t *testing.T) {
	api := program.Start(t, "sandbox", "--token-life", "10s")
	login := gqltest.Get(t, api.URL+"/api/account/login?v=1", "x-auth-user", sandbox.Username, "x-auth-password", sandbox.Password)
	assert.Equal(t, http.StatusOK, login.Status)
	assert.Contains(t, login.Body, `"ApiToken": "`)
}
