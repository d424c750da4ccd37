package program_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/sandbox"
)

// status is what a page sees of the documented job in a scenario, "" for none.
func scenarioStatus(t *testing.T, p *program.Program, scenario string) string {
	t.Helper()
	headers := []string{"X-Sandbox", scenario}
	if scenario == "" {
		headers = nil
	}
	return gqltest.Query(t, p.URL+"/graphql", `{ jobById(id: "`+sandbox.DocumentedJobID+`") { ... on Job { status } ... on ApiError { type } } }`, nil, headers...).Data()
}

// A page asks for a scenario and gets it, while all others are served as ever.
func TestScenario_ByAHeaderThroughTheFacade(t *testing.T) {
	p := program.Start(t, "--upstream-timeout", "2s")
	const always = `{"jobById":{"status":"COMPLETE"}}`
	for range 2 {
		for scenario, want := range map[string]string{
			"":              always,
			"expired":       `{"jobById":{"type":"BAD_API_TOKEN"}}`,
			"fail=503":      `{"jobById":{"type":"UPSTREAM_UNAVAILABLE"}}`,
			"malformed":     `{"jobById":{"type":"UPSTREAM_MALFORMED"}}`,
			"rate-limited":  `{"jobById":{"type":"UPSTREAM_RATE_LIMITED"}}`,
			"media-failure": `{"jobById":{"status":"MEDIA_FAILURE"}}`,
			"slow=1ms":      always,
			"nonsense":      `{"jobById":{"type":"INVALID_QUERY"}}`,
			"slow=30s":      `{"jobById":{"type":"UPSTREAM_TIMEOUT"}}`,
		} {
			if scenario != "slow=30s" {
				assert.Equal(t, want, scenarioStatus(t, p, scenario), scenario)
			}
			assert.Equal(t, always, scenarioStatus(t, p, ""), "after "+scenario)
		}
	}
	assert.Equal(t, `{"jobById":{"type":"UPSTREAM_TIMEOUT"}}`, scenarioStatus(t, p, "slow=30s"))
	answer := gqltest.Query(t, p.URL+"/graphql", `{ __typename }`, nil)
	assert.Contains(t, answer.Header.Values("Vary"), "X-Sandbox", "a browser's cache keeps them apart")
}

func TestScenario_ByAFlag(t *testing.T) {
	p := program.Start(t, "--sandbox-scenario", "media-failure")
	assert.Equal(t, `{"jobById":{"status":"MEDIA_FAILURE"}}`, scenarioStatus(t, p, ""))
	assert.Equal(t, `{"jobById":{"type":"BAD_API_TOKEN"}}`, scenarioStatus(t, p, "expired"))
	assert.Contains(t, program.Refuse(t, "--sandbox-scenario", "nonsense"), "--sandbox-scenario")
	assert.Contains(t, program.Refuse(t, "--sandbox-scenario", "expired", "--upstream-url", "http://127.0.0.1:1"), "leave it or --upstream-url out")
	assert.Contains(t, program.Refuse(t, "sandbox", "--sandbox-scenario", "nonsense"), "--sandbox-scenario")
}

// Where the job API is another one, the header means nothing and changes no token.
func TestScenario_IsTheEmbeddedSandboxsAlone(t *testing.T) {
	api := program.Start(t, "sandbox")
	p := program.Start(t, "--upstream-url", api.URL, "--upstream-token", sandbox.Token)
	assert.Equal(t, `{"jobById":{"status":"COMPLETE"}}`, scenarioStatus(t, p, "expired"))
	assert.Empty(t, gqltest.Query(t, p.URL+"/graphql", `{ __typename }`, nil).Header.Values("Vary")[1:])
}
