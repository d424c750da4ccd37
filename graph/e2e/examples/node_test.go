// Package examples_test runs every example of this folder against the built program.
package examples_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/program"
)

// nodeTimeout bounds each wait; what is waited for usually takes less than 5 seconds.
const nodeTimeout = 2 * time.Minute

// needsNode skips where Node or the examples' packages are missing.
func needsNode(t *testing.T) {
	t.Helper()
	program.NeedTool(t, "node")
	program.NeedFile(t, "node_modules/.package-lock.json", "run npm ci --ignore-scripts in graph/e2e/examples")
}

// run runs a command to its end and gives what it printed to its standard output.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	return runIn(t, "", name, args...)
}

// runIn is run in another folder than this one.
func runIn(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir = dir
	var problems bytes.Buffer
	command.Stderr = &problems
	output, err := command.Output()
	require.NoError(t, err, "%s %v\n%s\n%s", name, args, output, &problems)
	return string(output)
}

// start starts a command that serves until the test ends, and gives what ready
// finds in its output.
func start(t *testing.T, ready, name string, args ...string) string {
	t.Helper()
	found, _ := startUntil(t, ready, name, args...)
	return found
}

// startUntil is start for what may end earlier, by stop.
func startUntil(t *testing.T, ready, name string, args ...string) (output string, stop func()) {
	t.Helper()
	command := exec.Command(name, args...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it may start others
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	defer writer.Close()
	command.Stdout, command.Stderr = writer, writer
	require.NoError(t, command.Start())
	found := make(chan string, 1)
	var said []string // what it said until it was ready, read when found is closed
	done := make(chan struct{})
	go func() {
		defer close(done)
		pattern, lines := regexp.MustCompile(ready), bufio.NewScanner(reader)
		for lines.Scan() {
			said = append(said, lines.Text())
			if match := pattern.FindStringSubmatch(lines.Text()); match != nil {
				found <- match[1]
				break
			}
		}
		close(found)
		_, _ = io.Copy(io.Discard, reader) // it must never wait for its reader
	}()
	stop = sync.OnceFunc(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		_ = command.Wait()
		<-done
		_ = reader.Close()
	})
	t.Cleanup(stop)
	select {
	case url := <-found:
		require.NotEmpty(t, url, "%s %v ended: %q", name, args, said)
		return url, stop
	case <-time.After(nodeTimeout):
		require.FailNow(t, "not ready in time", "%s %v", name, args)
		return "", stop
	}
}
