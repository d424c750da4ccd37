package program_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, path))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, into), path)
}

// foldersWith are the folders of the tree that have such a file, as dependabot writes them.
func foldersWith(t *testing.T, name string) []string {
	t.Helper()
	var folders []string
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git"):
			return filepath.SkipDir
		case entry.Name() == name:
			folder, _ := filepath.Rel(top, filepath.Dir(path))
			folders = append(folders, filepath.Join("/", folder))
		}
		return nil
	})
	require.NoError(t, err)
	return folders
}

func TestDependabot_SeesEveryFolderWithDependencies(t *testing.T) {
	var config struct {
		Updates []struct {
			Ecosystem   string   `yaml:"package-ecosystem"`
			Directory   string   `yaml:"directory"`
			Directories []string `yaml:"directories"`
		} `yaml:"updates"`
	}
	readYAML(t, ".github/dependabot.yml", &config)
	seen := map[string][]string{}
	for _, update := range config.Updates {
		folders := update.Directories
		if update.Directory != "" {
			folders = append(folders, update.Directory)
		}
		seen[update.Ecosystem] = folders
	}
	assert.ElementsMatch(t, foldersWith(t, "go.mod"), seen["gomod"])
	assert.ElementsMatch(t, foldersWith(t, "package-lock.json"), seen["npm"])
	assert.Equal(t, []string{"/"}, seen["github-actions"])
}

// The workflow runs the gate, in time, and may write nothing.
func TestWorkflow_RunsTheGate(t *testing.T) {
	var workflow struct {
		Permissions map[string]string `yaml:"permissions"`
		Jobs        map[string]struct {
			Timeout int `yaml:"timeout-minutes"`
			Steps   []struct {
				Run string `yaml:"run"`
			} `yaml:"steps"`
		} `yaml:"jobs"`
	}
	readYAML(t, ".github/workflows/ci.yml", &workflow)
	assert.Equal(t, map[string]string{"contents": "read"}, workflow.Permissions)
	var commands []string
	for name, job := range workflow.Jobs {
		assert.Positive(t, job.Timeout, "%s has no timeout", name)
		for _, step := range job.Steps {
			commands = append(commands, step.Run)
		}
	}
	assert.Contains(t, commands, "bash .ci/run")
}
