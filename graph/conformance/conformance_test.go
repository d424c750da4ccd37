package conformance_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/program"
)

// audits is how many the pinned version of graphql-http has.
const audits = 61

func TestMain(m *testing.M) { program.Main(m) }

func TestServerPassesEveryAudit(t *testing.T) {
	needNode(t)
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

// needNode skips where Node or the audits are missing, unless everything is required.
func needNode(t *testing.T) {
	t.Helper()
	_, noNode := exec.LookPath("node")
	_, noModules := os.Stat("node_modules/graphql-http")
	switch {
	case noNode == nil && noModules == nil:
	case os.Getenv("JOBGRAPH_REQUIRE_ALL") == "1":
		t.Fatal("Node or node_modules is missing: install Node 20 and run npm ci in graph/conformance")
	default:
		t.Skip("Node or node_modules is missing: install Node 20 and run npm ci in graph/conformance")
	}
}
