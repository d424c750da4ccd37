// Package program runs JobGraph as its users do, as a program of its own, in tests.
package program

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience bounds each wait for the program.
const patience = 20 * time.Second

// Program is a JobGraph that runs.
type Program struct {
	// URL is the public address, such as http://127.0.0.1:40123.
	URL string
	// Log is what the program wrote to its standard error so far.
	Log *Log
}

// Start builds the program once for this test binary and starts it on an address of
// the kernel's choice, with no admin address unless args name one. It is stopped
// when the test ends, and must then exit with 0.
func Start(t *testing.T, args ...string) *Program {
	t.Helper()
	binary, err := build()
	require.NoError(t, err)
	args = append([]string{"--listen", "127.0.0.1:0", "--admin-listen", ""}, args...)
	command := exec.Command(binary, args...)
	log := &Log{}
	command.Stderr = log
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() { stop(t, command, log) })
	return &Program{URL: address(t, stdout, log), Log: log}
}

// build gives the program's path: one for each checkout, renamed into place, so that
// test binaries that run at the same time leave each other's alone and nothing piles up.
var build = sync.OnceValues(func() (string, error) {
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	name := fmt.Sprintf("jobgraph-test-%x", sha256.Sum256([]byte(root)))[:30]
	binary := filepath.Join(os.TempDir(), name)
	built := fmt.Sprintf("%s-%d", binary, os.Getpid())
	command := exec.Command("go", "build", "-o", built, ".")
	command.Dir = root
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, output)
	}
	return binary, os.Rename(built, binary)
})

// address reads the playground's address from what the program says at start.
func address(t *testing.T, stdout io.Reader, log *Log) string {
	t.Helper()
	found := make(chan string, 1)
	go func() {
		defer close(found)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() { // to the end: the program must never wait for its reader
			if fields := strings.Fields(lines.Text()); len(fields) == 2 && fields[0] == "playground" {
				found <- strings.TrimSuffix(fields[1], "/")
			}
		}
	}()
	select {
	case url, ok := <-found:
		require.True(t, ok, "the program ended before it served: %s", log)
		return url
	case <-time.After(patience):
		require.FailNow(t, "the program does not serve", log.String())
		return ""
	}
}

// stop ends the program as an operator does.
func stop(t *testing.T, command *exec.Cmd, log *Log) {
	t.Helper()
	kill := time.AfterFunc(patience, func() { _ = command.Process.Kill() })
	defer kill.Stop()
	_ = command.Process.Signal(syscall.SIGTERM)
	require.NoError(t, command.Wait(), "the program's end: %s", log)
}

// Log keeps what is written to it, for many writers at once.
type Log struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(p)
}

func (l *Log) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}
