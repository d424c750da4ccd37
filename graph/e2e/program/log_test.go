package program_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

func TestLog_IsWholeAtTheEnd(t *testing.T) {
	const clients, each, sockets = 8, 200, 20
	p := program.Spawn(t)
	for range sockets { // they are open until the end
		_, _, err := websocket.Dial(t.Context(), p.URL+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
		require.NoError(t, err)
	}
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			for range each {
				assert.Equal(t, http.StatusOK, gqltest.Get(t, p.URL+"/healthz").Status)
			}
		})
	}
	running.Wait()
	require.NoError(t, p.Stop())
	assert.Equal(t, clients*each, strings.Count(p.Log(), `route="GET /healthz"`))
	assert.Equal(t, sockets, strings.Count(p.Log(), "route=/graphql"))
	for line := range strings.Lines(p.Log()) {
		assert.Regexp(t, `^time=\S+ level=INFO msg=request .*remote=127\.0\.0\.1:\d+\n$`, line)
	}
}

func TestLog_ALineIsLoggedWithoutAnEnd(t *testing.T) {
	p := program.Start(t)
	for n := 1; n <= 3; n++ { // the first is written at once, another waits
		gqltest.Get(t, p.URL+"/healthz")
		require.Eventually(t, func() bool { return strings.Count(p.Log(), "msg=request") == n }, program.Timeout, 10*time.Millisecond)
	}
}

// fullPipe is a pipe that takes no byte more until it is read.
func fullPipe(t *testing.T) (read, write *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { read.Close(); write.Close() })
	for _, size := range []int{4 << 10, 1} { // a write below 4 KiB is whole or nothing
		require.NoError(t, write.SetWriteDeadline(time.Now().Add(100*time.Millisecond)))
		for err = nil; err == nil; {
			_, err = write.Write([]byte(strings.Repeat("\n", size)))
		}
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	}
	return read, write
}

func TestLog_ALogThatNobodyReadsHoldsNothingUp(t *testing.T) {
	_, stderr := fullPipe(t)
	servesAllTheSame(t, stderr)
}

func TestLog_ALogWhoseReaderHasEndedEndsNothing(t *testing.T) {
	read, stderr, err := os.Pipe()
	require.NoError(t, err)
	defer stderr.Close()
	require.NoError(t, read.Close())
	servesAllTheSame(t, stderr)
}

// servesAllTheSame has a server answer, and end, whose log is stderr.
func servesAllTheSame(t *testing.T, stderr *os.File) {
	t.Helper()
	command := program.Command(t, "--listen", "127.0.0.1:0", "--admin-listen", "")
	command.Stderr = stderr
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	killed := time.AfterFunc(4*program.Timeout, func() { _ = command.Process.Kill() })
	defer killed.Stop()
	var url string
	for lines := bufio.NewScanner(stdout); url == "" && lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), " GraphQL %s", &url)
	}
	client := http.Client{Timeout: program.Timeout}
	for i := range 300 {
		response, err := client.Get(strings.TrimSuffix(url, "/graphql") + "/healthz")
		require.NoError(t, err, "request %d", i)
		response.Body.Close()
		assert.Equal(t, http.StatusOK, response.StatusCode)
	}
	require.NoError(t, command.Process.Signal(syscall.SIGTERM))
	assert.NoError(t, command.Wait(), "nor the end")
}

func TestLog_AnErrorThatNobodyReadsEndsTheProgramAllTheSame(t *testing.T) {
	_, stderr := fullPipe(t)
	command := program.Command(t, "--no-such-flag")
	command.Stderr = stderr
	require.NoError(t, command.Start())
	killed := time.AfterFunc(program.Timeout, func() { _ = command.Process.Kill() })
	defer killed.Stop()
	assert.Error(t, command.Wait())
	assert.Equal(t, 1, command.ProcessState.ExitCode())
}
