package schemadiff_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/schemadiff"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// announced is what stands under Breaking of what is not released.
func announced(changelog string) string {
	_, unreleased, _ := strings.Cut(changelog, "\n## Unreleased\n")
	unreleased, _, _ = strings.Cut(unreleased, "\n## ")
	_, breaking, _ := strings.Cut(unreleased, "\n### Breaking\n")
	breaking, _, _ = strings.Cut(breaking, "\n### ")
	return breaking
}

// unannounced are the changes whose coordinates the changelog does not name.
func unannounced(changes []schemadiff.Change, changelog string) []string {
	var found []string
	for _, change := range changes {
		if !strings.Contains(announced(changelog), "`"+change.At+"`") {
			found = append(found, change.String())
		}
	}
	return found
}

// A change that breaks clients needs a line under "### Breaking" of the changelog's
// "## Unreleased" that names its coordinate, such as `Job.name`.
func TestReleased_NothingBreaksUnannounced(t *testing.T) {
	changes, err := schemadiff.Breaking(read(t, "testdata/released.graphqls"), read(t, "../../../schema.graphqls"))
	require.NoError(t, err)
	assert.Empty(t, unannounced(changes, read(t, "../../../.github/CHANGELOG.md")),
		"this breaks clients: do it otherwise, or name it in .github/CHANGELOG.md under Unreleased, Breaking")
}

func TestReleased_TheChangelogAnnounces(t *testing.T) {
	changes := []schemadiff.Change{{At: "Job.name", What: "is removed"}, {At: "Job", What: "is removed"}}
	both := []string{"Job.name is removed", "Job is removed"}
	for changelog, want := range map[string][]string{
		"# C\n\n## Unreleased\n\n### Breaking\n\n- `Job.name` is gone\n":                                {"Job is removed"},
		"# C\n\n## Unreleased\n\n### Added\n\n- x\n\n### Breaking\n\n- `Job` and `Job.name` are gone\n": nil,
		"# C\n\n## Unreleased\n\n### Added\n\n- `Job.name`\n":                                           both,
		"# C\n\n## Unreleased\n\n### Breaking\n\n### Added\n\n- `Job.name`\n":                           both,
		"# C\n\n## Unreleased\n\n## v1\n\n### Breaking\n\n- `Job.name`\n":                               both,
		"# C\n": both,
	} {
		assert.Equal(t, want, unannounced(changes, changelog), changelog)
	}
}
