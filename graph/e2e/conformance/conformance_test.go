package conformance_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/program"
)

// audits is how many the pinned version of graphql-http has.
const audits = 61

func TestConformance_ServerPassesEveryAudit(t *testing.T) {
	program.NeedTool(t, "node")
	program.NeedFile(t, "node_modules/graphql-http", "run npm ci in graph/e2e/conformance")
	p := program.Start(t)
	command := exec.Command("node", "audits.js", p.URL+"/graphql")
	output, err := command.CombinedOutput()
	count := 0
	for lines := bufio.NewScanner(bytes.NewReader(output)); lines.Scan(); {
		var audit struct{ ID, Name, Status, Reason string }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &audit), "%s", lines.Text())
		assert.Equal(t, "ok", audit.Status, "%s %s: %s", audit.ID, audit.Name, audit.Reason)
		count++
	}
	assert.NoError(t, err)
	assert.Equal(t, audits, count)
}
