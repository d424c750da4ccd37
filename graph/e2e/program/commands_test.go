package program_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
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
