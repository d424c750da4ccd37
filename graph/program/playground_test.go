package program_test

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"jobgraph/graph/program"
)

// A browser opens the playground on the sandbox and runs its tabs: see e2e.js for
// what it looks at.
func TestThePlaygroundInABrowser(t *testing.T) {
	node := program.NeedTool(t, "node")
	program.NeedTool(t, "chromium")
	program.NeedFile(t, "../playground/node_modules/playwright-core", "run npm ci in graph/playground")
	command := exec.Command(node, "e2e.js", program.Start(t).URL)
	command.Dir = "../playground"
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	t.Logf("%s", output)
}
