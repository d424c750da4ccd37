package program_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/program"
)

// A browser opens the playground on the sandbox and runs its tabs: see e2e.js for
// what it looks at. The README's picture comes from here:
//
//	JOBGRAPH_PICTURE=playground.png go test ./graph/e2e/program -run Playground
func TestPlayground_InABrowser(t *testing.T) {
	node := program.NeedTool(t, "node")
	program.NeedTool(t, "chromium")
	program.NeedFile(t, "../../playground/node_modules/playwright-core", "run npm ci in graph/playground")
	args := []string{"e2e.js", program.Start(t).URL}
	if picture := os.Getenv("JOBGRAPH_PICTURE"); picture != "" {
		args = append(args, "--screenshot", picture)
	}
	command := exec.Command(node, args...)
	command.Dir = "../../playground"
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	t.Logf("%s", output)
}
