package program

import (
	"os"
	"os/exec"
	"testing"
)

// requireAll has tests fail where they lack a tool, instead of being skipped.
const requireAll = "JOBGRAPH_REQUIRE_ALL"

// NeedTool gives the path of a tool such as "node", and skips the test where this
// machine has none.
func NeedTool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		lacks(t, name+" is not on this machine")
	}
	return path
}

// NeedFile skips the test where the path does not exist; install says how to get it.
func NeedFile(t testing.TB, path, install string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		lacks(t, path+" is missing: "+install)
	}
}

// lacks skips the test, or fails it where JOBGRAPH_REQUIRE_ALL is set, as the
// gate does.
func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv(requireAll) != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
