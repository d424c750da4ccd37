package examples_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	response, err := http.Get(program.Start(t).URL + "/example/")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusNotFound, response.StatusCode)
}
