package program_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/program"
	"jobgraph/graph/serve"
	"jobgraph/upstream/sandbox"
)

func run(t *testing.T, args ...string) (output string, err error) {
	t.Helper()
	var out bytes.Buffer
	err = serve.Run(t.Context(), args, &out, &out)
	return out.String(), err
}

func TestHealth_IsTheServersOwnWord(t *testing.T) {
	p := program.Start(t)
	address := strings.TrimPrefix(p.URL, "http://")
	for _, args := range [][]string{{"health", "--listen", address}, {"health", "--ready", "--listen", address}} {
		output, err := run(t, args...)
		assert.NoError(t, err)
		assert.Equal(t, "ok\n", output)
	}
	require.NoError(t, p.Stop())
	_, err := run(t, "health", "--listen", address)
	assert.ErrorContains(t, err, "does not answer")
	sick := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer sick.Close()
	_, err = run(t, "health", "--ready", "--listen", strings.TrimPrefix(sick.URL, "http://"))
	assert.ErrorContains(t, err, "status 503")
	named := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "localhost" {
			w.WriteHeader(http.StatusMisdirectedRequest)
		}
	}))
	defer named.Close()
	_, err = run(t, "health", "--listen", strings.TrimPrefix(named.URL, "http://"))
	assert.NoError(t, err, "whatever name is listened on, the server answers to localhost")
	_, err = run(t, "health", "--listen", "nowhere")
	assert.ErrorContains(t, err, "must be like :8080")
}

func TestDoctor_SaysWhatWorks(t *testing.T) {
	api := newLoginAPI(t, time.Hour, nil)
	output, err := run(t, "doctor", "--upstream-url", api.URL, "--upstream-username", sandbox.Username, "--upstream-password", sandbox.Password, "--job-id", sandbox.DocumentedJobID)
	assert.NoError(t, err)
	for _, line := range []string{"ok    settings", "ok    DNS", "ok    clock     within", "ok    login     the account of", "ok    job       asked for one job, which is COMPLETE"} {
		assert.Contains(t, output, line)
	}
	output, err = run(t, "doctor", "--upstream-url", api.URL, "--upstream-token", sandbox.Token)
	assert.NoError(t, err)
	assert.Contains(t, output, "the token is good")
	output, err = run(t, "doctor", "--upstream-url", api.URL)
	assert.NoError(t, err)
	assert.Contains(t, output, "each caller sends one")
}

func TestDoctor_SaysWhatDoesNot(t *testing.T) {
	const canary = "canary-password"
	api := newLoginAPI(t, time.Hour, nil)
	output, err := run(t, "doctor", "--upstream-url", api.URL, "--upstream-username", "canary-user", "--upstream-password", canary)
	assert.ErrorContains(t, err, "1 checks failed")
	assert.Contains(t, output, "FAIL  login     LOGIN_INVALID")
	assert.NotContains(t, output, "canary")
	output, err = run(t, "doctor", "--upstream-url", api.URL, "--upstream-token", "c0ffee1234abcdef5678")
	assert.Error(t, err)
	assert.Contains(t, output, "FAIL  job       BAD_API_TOKEN")
	assert.NotContains(t, output, "c0ffee")

	late := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
	}))
	defer late.Close()
	output, err = run(t, "doctor", "--upstream-url", late.URL)
	assert.Error(t, err)
	assert.Contains(t, output, "FAIL  clock     this machine's clock is 1h0m")

	strange := httptest.NewTLSServer(http.NotFoundHandler()) // signed by nobody that is known
	defer strange.Close()
	strange.Config.ErrorLog = nil
	output, err = run(t, "doctor", "--upstream-url", strange.URL)
	assert.Error(t, err)
	assert.Contains(t, output, "FAIL  TLS       no secure connection")

	output, err = run(t, "doctor", "--upstream-url", "http://jobgraph.invalid", "--upstream-timeout", "2s")
	assert.Error(t, err)
	assert.Contains(t, output, "FAIL  DNS       jobgraph.invalid has no address")
}

// tenantsOf writes a file of tenants, whose secrets are beside it.
func tenantsOf(t *testing.T, tenants map[string]sandbox.Account, usernames map[string]string) (file string) {
	t.Helper()
	folder := t.TempDir()
	entries := map[string]any{}
	for name, account := range tenants {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name+".key"), []byte(account.SecureKey+"\n"), 0o600))
		entries[name] = map[string]string{"username": cmp.Or(usernames[name], name+"_user"), "securekeyFile": name + ".key"}
	}
	content, err := json.Marshal(map[string]any{"claim": "tenant", "tenants": entries})
	require.NoError(t, err)
	file = filepath.Join(folder, "tenants.json")
	require.NoError(t, os.WriteFile(file, content, 0o600))
	return file
}

func TestDoctor_TriesEachTenantOnce(t *testing.T) {
	const key = "canary-key"
	api := newLoginAPI(t, time.Hour, map[string]sandbox.Account{"acme_user": {SecureKey: key}, "news_user": {SecureKey: key}})
	file := tenantsOf(t, map[string]sandbox.Account{"acme": {SecureKey: key}, "news": {SecureKey: key + "-wrong"}, "sports": {SecureKey: key}},
		map[string]string{"sports": "acme_user"})
	output, err := run(t, "doctor", "--upstream-url", api.URL, "--tenants", file)
	assert.ErrorContains(t, err, "1 checks failed")
	assert.Contains(t, output, "ok    tenant    the account of \"acme\" is logged in\n"+
		"FAIL  tenant    \"news\": LOGIN_INVALID: the job API does not accept its user name, or its secure key or password\n"+
		"ok    tenant    \"sports\" has an account that was tried above\n")
	assert.NotContains(t, output, "canary")
	assert.NotContains(t, output, "_user")
	assert.EqualValues(t, 2, api.logins.Load())

	// Logins are bounded, and end where the job API fails.
	many := map[string]sandbox.Account{}
	for n := range 50 {
		many[fmt.Sprintf("tenant%02d", n)] = sandbox.Account{SecureKey: key}
	}
	api.logins.Store(0)
	output, err = run(t, "doctor", "--upstream-url", api.URL, "--tenants", tenantsOf(t, many, nil))
	assert.Error(t, err)
	assert.EqualValues(t, 20, api.logins.Load())
	assert.Contains(t, output, "20 of 50 were looked at")
	api.logins.Store(0)
	api.down.Store(true)
	output, err = run(t, "doctor", "--upstream-url", api.URL, "--tenants", file)
	assert.Error(t, err)
	assert.EqualValues(t, 1, api.logins.Load())
	assert.Contains(t, output, "FAIL  tenant    \"acme\": UPSTREAM_UNAVAILABLE")
	assert.Contains(t, output, "are not tried")

	require.NoError(t, os.WriteFile(file, []byte(key), 0o600))
	output, err = run(t, "doctor", "--upstream-url", api.URL, "--tenants", file)
	assert.Error(t, err)
	assert.Contains(t, output, "FAIL  tenants   --tenants: it must be JSON such as")
	assert.NotContains(t, output, "canary")
}
