package program_test

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/sandbox"
)

const documentedAndMissing = `{"query": "query ($ids: [ID!]!) { job(ids: $ids) { __typename ... on Job { name status } ... on ApiError { type jobId } } }", ` +
	`"variables": {"ids": ["d4fb871e07514304b23131b45f8caa1f", "00000000000000000000000000000000"]}}`

const documentedAndMissingAnswer = `{"data": {"job": [{"__typename": "Job", "name": "example_job", "status": "COMPLETE"},
	{"__typename": "ApiError", "type": "ITEM_NOT_FOUND", "jobId": "00000000000000000000000000000000"}]}}`

func ask(t *testing.T, p *program.Program, body string, headers ...string) string {
	t.Helper()
	return gqltest.Post(t, p.URL+"/graphql", body, headers...).Body
}

func TestProgram_TheEmbeddedSandbox(t *testing.T) {
	p := program.Start(t)
	assert.JSONEq(t, documentedAndMissingAnswer, ask(t, p, documentedAndMissing))

	sdl, err := os.ReadFile("../../../schema.graphqls")
	require.NoError(t, err)
	schema, err := graph.PlainSDL(string(sdl))
	require.NoError(t, err)
	for path, want := range map[string]string{
		"/schema.graphqls": schema, "/healthz": "ok", "/readyz": "ready", "/": "<title>JobGraph</title>",
	} {
		answer := gqltest.Get(t, p.URL+path)
		assert.Equal(t, http.StatusOK, answer.Status, path)
		assert.Contains(t, answer.Body, want, path)
	}
	counted := p.Metrics(t)
	for _, line := range []string{
		`jobgraph_operation_seconds_count{kind="query",operation="",outcome="OK"} 1`,
		`jobgraph_upstream_call_seconds_count{outcome="OK"} 1`,
		`jobgraph_upstream_call_seconds_count{outcome="ITEM_NOT_FOUND"} 1`,
		`jobgraph_upstream_calls_in_flight 0`, `go_goroutines`,
	} {
		assert.Contains(t, counted, line)
	}
	assert.Equal(t, http.StatusOK, gqltest.Get(t, p.AdminURL+"/debug/pprof/heap").Status)
	assert.Equal(t, http.StatusNotFound, gqltest.Get(t, p.URL+"/metrics").Status, "metrics are on the admin address only")
}

func TestProgram_TheSandboxByItselfAsAnUpstream(t *testing.T) {
	api := program.Start(t, "sandbox")
	documented, err := os.ReadFile("../../../upstream/sandbox/documented_job.json")
	require.NoError(t, err)
	answer := gqltest.Get(t, api.URL+"/api/job/info?v=1&api_token="+sandbox.Token+"&job_id="+sandbox.ExampleRequestJobID)
	assert.Equal(t, http.StatusOK, answer.Status)
	assert.Equal(t, string(documented), answer.Body)

	p := program.Start(t, "--upstream-url", api.URL)
	assert.JSONEq(t, documentedAndMissingAnswer, ask(t, p, documentedAndMissing, "Authorization", "Bearer "+sandbox.Token))
	assert.Contains(t, ask(t, p, documentedAndMissing), "BAD_API_TOKEN", "no token is configured")

	p = program.Start(t, "--upstream-url", api.URL, "--upstream-token", sandbox.Token)
	assert.JSONEq(t, documentedAndMissingAnswer, ask(t, p, documentedAndMissing))
}

func TestProgram_TheSandboxListsAsManyJobsAsItIsTold(t *testing.T) {
	api := program.Start(t, "sandbox", "--jobs", "2000", "--list-lag", "1h")
	const list = "/api/job/list?v=1&api_token=" + sandbox.Token
	answer := gqltest.Get(t, api.URL+list+"&ExternalID=volume-001998")
	assert.Equal(t, http.StatusOK, answer.Status)
	assert.Equal(t, 2, strings.Count(answer.Body, `"JobId"`), "the oldest has the external id of the next newer one")
	assert.Equal(t, 2000, strings.Count(gqltest.Get(t, api.URL+list+"&JobName=*_00*").Body, `"JobId"`))
	assert.Contains(t, gqltest.Get(t, api.URL+list+"&ExternalID=sample_moving_id&JobStatus=Authorizing").Body, "life_of_30_seconds", "an hour ago")
}

func TestProgram_TheLogForAMachine(t *testing.T) {
	command := program.Command(t, "--listen", "127.0.0.1:0", "--admin-listen", "", "--log-format", "json")
	stderr, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	line, err := bufio.NewReader(stderr).ReadBytes('\n')
	require.NoError(t, err)
	var entry map[string]string
	require.NoError(t, json.Unmarshal(line, &entry), string(line))
	assert.Equal(t, "none", entry["metrics"])
	assert.Equal(t, http.StatusOK, gqltest.Get(t, entry["playground"]+"healthz").Status)
	require.NoError(t, command.Process.Signal(os.Interrupt))
	assert.NoError(t, command.Wait(), "SIGINT ends the program with exit code 0")
}

func TestProgram_ASettingFromTheEnvironment(t *testing.T) {
	command := program.Command(t, "--listen", "127.0.0.1:0")
	command.Env = append(command.Env, "JOBGRAPH_MAX_IDS=many")
	output, err := command.CombinedOutput()
	assert.Error(t, err)
	assert.Contains(t, string(output), "JOBGRAPH_MAX_IDS")
}

func TestProgram_AWrongSettingIsOneLineAndExitCode1(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	const canary = "c0ffee1234abcdef5678-not-hex"
	for _, args := range [][]string{
		{"--no-such-flag"}, {"--max-ids", "0"}, {"--max-ids", "x"}, {"--upstream-timeout", "10"}, {"--upstream-timeout", "0s"},
		{"--upstream-concurrency", "0"}, {"--log-level", "loud"}, {"--shutdown-delay", "-1s"}, {"--cache-active", "0s"}, {"--log-format", "xml"}, {"--upstream-token", canary},
		{"--upstream-url", "api.cielo24.com"}, {"--upstream-url", "https://user:" + canary + "@host"},
		{"--listen", taken.Addr().String()}, {"--admin-listen", taken.Addr().String()}, {"--listen", "nowhere"},
		{"--listen", ""}, {"sandbox", "--listen", ""}, {"doctor", "--upstream-url", "https://api.cielo24.com", "--upstream-timeout", "0s"},
		{"sandbox", "--listen", taken.Addr().String()}, {"sandbox", "--jobs", "1000001"}, {"sandbox", "--list-lag=-1s"}, {"no-such-command"},
	} {
		if args[0] != "sandbox" && args[0] != "doctor" && args[0] != "no-such-command" {
			args = append([]string{"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, args...)
		}
		assert.NotContains(t, program.Refuse(t, args...), canary, "%v", args)
	}
	command := program.Command(t, "--max-ids", "0")
	output, err := command.CombinedOutput()
	assert.Error(t, err)
	assert.Equal(t, 1, command.ProcessState.ExitCode())
	assert.Regexp(t, `^jobgraph: .*--max-ids.*\n$`, string(output))
}

func TestProgram_TheCache(t *testing.T) {
	calls := func(p *program.Program) string {
		_, count, _ := strings.Cut(p.Metrics(t), `jobgraph_upstream_call_seconds_count{outcome="OK"} `)
		count, _, _ = strings.Cut(count, "\n")
		return count
	}
	const settled = `{"query": "{ job(ids: [\"d4fb871e07514304b23131b45f8caa1f\"]) { ... on Job { name } } }"}`
	p := program.Start(t)
	for range 3 {
		ask(t, p, settled)
	}
	assert.Equal(t, "1", calls(p))
	ask(t, p, settled, "Cache-Control", "max-age=0, No-Cache")
	assert.Equal(t, "2", calls(p))

	p = program.Start(t, "--cache=false")
	for range 3 {
		ask(t, p, settled)
	}
	assert.Equal(t, "3", calls(p))
}

// What is in flight when the program is told to end is still answered. The
// upstream holds the job back until readiness has been seen to fall.
func TestProgram_SIGTERMFinishesWhatIsInFlight(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		sandbox.New(sandbox.Options{}).ServeHTTP(w, r)
	}))
	defer api.Close()
	free := sync.OnceFunc(func() { close(release) })
	defer free() // before the server is closed, which waits for the call

	p := program.Spawn(t, "--upstream-url", api.URL, "--upstream-token", sandbox.Token, "--shutdown-delay", "2s")
	answer := make(chan string, 1)
	go func() {
		answer <- ask(t, p, `{"query": "{ job(ids: [\"d4fb871e07514304b23131b45f8caa1f\"]) { ... on Job { name } } }"}`)
	}()
	<-arrived
	ended := make(chan error, 1)
	go func() { ended <- p.Stop() }()
	require.Eventually(t, func() bool {
		answer, err := gqltest.Send(gqltest.Request(t, http.MethodGet, p.URL+"/readyz", ""))
		return err == nil && answer.Status == http.StatusServiceUnavailable
	}, program.Timeout, 5*time.Millisecond)
	free()
	assert.JSONEq(t, `{"data": {"job": [{"name": "example_job"}]}}`, <-answer)
	assert.NoError(t, <-ended)
}

func TestProgram_TheAccessLogHoldsNoQuery(t *testing.T) {
	const canary = "c0ffee1234abcdef5678c0ffee123456"
	p := program.Start(t, "--log-level", "debug")
	gqltest.Get(t, p.URL+"/graphql?query={__typename}&canary="+canary)
	ask(t, p, documentedAndMissing, "Authorization", "Bearer "+canary)
	require.NoError(t, p.Stop())
	assert.Contains(t, p.Log(), "route=/graphql")
	assert.NotContains(t, p.Log(), canary[:8])
}

// What the program prints to try is a command that works, however the schema is served.
func TestProgram_WhatItPrintsToTryWorks(t *testing.T) {
	program.NeedTool(t, "curl")
	manifest := filepath.Join(t.TempDir(), "manifest.json")
	require.NoError(t, os.WriteFile(manifest, []byte(`{"ID": "{ job(ids: \"d4fb871e07514304b23131b45f8caa1f\") { ... on Job { name } } }"}`), 0o600))
	for _, args := range [][]string{nil, {"--type-prefix", "Caption"}, {"--type-prefix", "Caption", "--type-prefix-entity"}, {"--trusted-documents", manifest}} {
		command := program.Command(t, append([]string{"--listen", "127.0.0.1:0", "--admin-listen", ""}, args...)...)
		stdout, err := command.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, command.Start())
		var printed strings.Builder
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			printed.WriteString(lines.Text() + "\n")
			if strings.HasPrefix(strings.TrimSpace(lines.Text()), "-d ") {
				break
			}
		}
		_, try, found := strings.Cut(printed.String(), "Try:\n")
		assert.True(t, found, printed.String())
		answer, err := exec.Command("sh", "-c", strings.Replace(try, "curl ", "curl -s ", 1)).Output()
		assert.NoError(t, err, try)
		assert.Contains(t, string(answer), `"name":"example_job"`, try)
		require.NoError(t, command.Process.Signal(os.Interrupt))
		assert.NoError(t, command.Wait())
	}
}
