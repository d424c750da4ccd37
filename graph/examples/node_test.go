// Package examples_test runs every example of this folder against the built program.
package examples_test

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"jobgraph/graph/program"
)

// patience bounds each wait; what is waited for usually takes less than 5 seconds.
const patience = time.Minute

// needsNode skips where the examples' packages are not installed.
func needsNode(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat("node_modules/.package-lock.json")
	}
	if err != nil {
		missing(t, "Node or its packages: run npm ci --ignore-scripts in graph/examples")
	}
}

// missing skips the test, or fails it where everything has to run.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("JOBGRAPH_REQUIRE_ALL") == "1" {
		require.FailNow(t, "missing: "+what)
	}
	t.Skip("missing: " + what)
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
	var problems program.Log
	command.Stderr = &problems
	output, err := command.Output()
	require.NoError(t, err, "%s %s\n%s\n%s", name, strings.Join(args, " "), output, &problems)
	return string(output)
}

// start starts a command that serves until the test ends, and gives what ready
// finds in its output.
func start(t *testing.T, ready, name string, args ...string) string {
	t.Helper()
	command := exec.Command(name, args...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it may start others
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	var log program.Log
	command.Stderr = &log
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		_ = command.Wait()
	})
	pattern, found := regexp.MustCompile(ready), make(chan string, 1)
	go func() {
		defer close(found)
		lines := bufio.NewScanner(output)
		for lines.Scan() { // to the end: it must never wait for its reader
			_, _ = log.Write(append(lines.Bytes(), '\n'))
			if match := pattern.FindStringSubmatch(lines.Text()); match != nil && len(found) == 0 {
				found <- match[1]
			}
		}
	}()
	select {
	case url, ok := <-found:
		require.True(t, ok, "%s %v ended: %s", name, args, &log)
		return url
	case <-time.After(patience):
		require.FailNow(t, "not ready in time", "%s %v: %s", name, args, &log)
		return ""
	}
}

// freePort is for what cannot say which port the kernel gave it.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

// get gives the body at the address.
func get(t *testing.T, address string) []byte {
	t.Helper()
	response, err := http.Get(address)
	require.NoError(t, err)
	return body(t, response)
}
