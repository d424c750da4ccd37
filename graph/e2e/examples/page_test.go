package examples_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/sandbox"
)

// A browser opens the page on a large sandbox at two widths: see page.js for what
// it looks at.
func TestPage_InABrowser(t *testing.T) {
	t.Parallel()
	needsNode(t)
	program.NeedTool(t, "chromium")
	api := program.Start(t, "sandbox", "--jobs", "20000")
	server := program.Start(t, "--example", "--upstream-url", api.URL, "--upstream-token", sandbox.Token)
	t.Log(run(t, "node", "page.js", server.URL+"/example/"))
}

// The page shows what a frontend seldom sees, where it runs on the sandbox: see scenario.js.
func TestPage_Scenarios(t *testing.T) {
	t.Parallel()
	needsNode(t)
	program.NeedTool(t, "chromium")
	t.Log(run(t, "node", "scenario.js", program.Start(t, "--example").URL+"/example/"))
}

func TestPage_IsServedOnlyWhenAsked(t *testing.T) {
	assert.Equal(t, http.StatusNotFound, gqltest.Get(t, program.Start(t).URL+"/example/").Status)
}
