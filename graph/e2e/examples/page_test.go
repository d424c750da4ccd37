package examples_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

// A browser opens the page on the sandbox at two widths: see page.js for what
// it looks at.
func TestPage_InABrowser(t *testing.T) {
	needsNode(t)
	program.NeedTool(t, "chromium")
	t.Log(run(t, "node", "page.js", program.Start(t, "--example").URL+"/example/"))
}

func TestPage_IsServedOnlyWhenAsked(t *testing.T) {
	assert.Equal(t, http.StatusNotFound, gqltest.Get(t, program.Start(t).URL+"/example/").Status)
}
