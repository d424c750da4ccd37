package program

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// build builds the program once a test binary, to a path that the next run of the
// same package writes over: nothing piles up.
var build = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	module, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	if err := lookAt(string(bytes.TrimSpace(module))); err != nil {
		return "", err
	}
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	path := filepath.Join(os.TempDir(), fmt.Sprintf("jobgraph-%x", sha256.Sum256([]byte(here)))[:32])
	if output, err := exec.CommandContext(ctx, "go", "build", "-o", path, "jobgraph").CombinedOutput(); err != nil {
		return "", errors.New(string(output))
	}
	return path, nil
})

// lookAt looks at every file that the program may be built of, so that go test does
// not take a result from its cache that is older than one of them.
func lookAt(module string) error {
	return filepath.WalkDir(module, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		_, err = os.Stat(path)
		return err
	})
}
