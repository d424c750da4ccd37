package program_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/sandbox"
)

// --version, the User-Agent and the metric name the same build.
func TestVersion_IsShownEverywhere(t *testing.T) {
	output, err := program.Command(t, "--version").Output()
	require.NoError(t, err)
	match := regexp.MustCompile(`^jobgraph (\S+) \(commit (\S+), go1\S+\)\n$`).FindStringSubmatch(string(output))
	require.NotNil(t, match, "%q", output)
	for _, command := range []string{"sandbox", "callback-url"} {
		same, err := program.Command(t, command, "--version").Output()
		require.NoError(t, err, command)
		assert.Equal(t, string(output), string(same), command)
	}

	var agent atomic.Value
	api := sandbox.New(sandbox.Options{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent.Store(r.UserAgent())
		api.ServeHTTP(w, r)
	}))
	defer server.Close()
	p := program.Spawn(t, "--upstream-url", server.URL, "--upstream-token", sandbox.Token) // go test stamps no version
	assert.JSONEq(t, documentedAndMissingAnswer, ask(t, p, documentedAndMissing))
	assert.Equal(t, "jobgraph/"+match[1], agent.Load())

	assert.Contains(t, p.Metrics(t), `jobgraph_build_info{commit="`+match[2]+`",version="`+match[1]+`"} 1`)
}
