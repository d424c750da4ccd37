// Package live_test runs the examples of this folder against the built program.
package live_test

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/program"
)

func TestLive_TheExamples(t *testing.T) {
	node := program.NeedTool(t, "node")
	program.NeedFile(t, "node_modules/ws", "run npm ci in graph/e2e/examples/live")
	server := program.Start(t, "--poll-interval", "200ms", "--poll-max", "500ms")
	for _, script := range []string{"clients.js", "pages.js"} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			if script == "pages.js" {
				program.NeedTool(t, "chromium")
			}
			output, err := exec.Command(node, script, server.URL).CombinedOutput()
			require.NoError(t, err, string(output))
			t.Logf("%s", output)
		})
	}
}
