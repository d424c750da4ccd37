package program_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/program"
	"jobgraph/upstream/sandbox"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	return string(text)
}

// Each curl of the README is run as it stands there, but for the port; a JSON
// block that follows is its answer.
func TestTheReadmesExamples(t *testing.T) {
	program.NeedTool(t, "curl")
	block := regexp.MustCompile("(?s)```sh\n(curl .*?)```(?:\n\n```json\n(.*?)```)?")
	examples := block.FindAllStringSubmatch(readme(t), -1)
	require.GreaterOrEqual(t, len(examples), 2)
	facade, api := program.Start(t), program.Start(t, "sandbox")
	local := strings.NewReplacer("http://localhost:8080", facade.URL, "http://localhost:8090", api.URL)
	documented, err := os.ReadFile("../../upstream/sandbox/documented_job.json")
	require.NoError(t, err)
	for _, example := range examples {
		command, answer := example[1], example[2]
		output, err := exec.Command("sh", "-c", local.Replace(command)).Output()
		require.NoError(t, err, command)
		switch {
		case answer != "":
			assert.JSONEq(t, answer, string(output), command)
		case strings.Contains(command, "/api/job/info"):
			assert.Equal(t, string(documented), string(output))
		default:
			t.Errorf("the README gives no answer for %s", command)
		}
	}
}

func TestTheReadmesJobsAreTheSandboxes(t *testing.T) {
	text := readme(t)
	for _, job := range sandbox.Jobs() {
		assert.Contains(t, text, "| `"+job.ID+"` | "+job.About+" |")
	}
	assert.Contains(t, text, sandbox.Token)
}

// The settings table has exactly the flags of --help, and their defaults.
func TestTheReadmesSettings(t *testing.T) {
	help, err := program.Command(t, "--help").Output()
	require.NoError(t, err)
	var flags []string
	for _, match := range regexp.MustCompile(`(?m)^ {6}(--[a-z-]+)`).FindAllStringSubmatch(string(help), -1) {
		flags = append(flags, match[1])
	}
	text := readme(t)
	var documented []string
	for _, match := range regexp.MustCompile("(?m)^\\| `(--[a-z-]+)` \\| (.*?) \\|").FindAllStringSubmatch(text, -1) {
		documented = append(documented, match[1])
		if value := strings.Trim(match[2], "`"); value != "none" && value != "false" {
			words := strings.Join(strings.Fields(string(help)), " ")
			_, after, _ := strings.Cut(words, match[1])
			line, _, _ := strings.Cut(after, "($JOBGRAPH")
			assert.Contains(t, line, value, "default of %s", match[1])
		}
	}
	assert.ElementsMatch(t, flags, documented)
}
