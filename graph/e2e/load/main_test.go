package load_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/load"
	"jobgraph/upstream/sandbox"
)

// childOf says in a process's environment that it is the bare handler over the job
// API at the address; childFixed, that it is the handler with this text as its answer; childAPI, that it is
// the job API that takes so long.
const (
	childOf    = "LOAD_BARE_OVER"
	childFixed = "LOAD_FIXED_ANSWER"
	childAPI   = "LOAD_API_DELAY"
)

// TestMain is three programs more: the handlers to compare with, and the job API, run in processes of
// their own, as the built program does.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(childOf) != "":
		serveChild(load.Bare(os.Getenv(childOf), sandbox.Token))
	case os.Getenv(childFixed) != "":
		serveChild(load.Fixed([]byte(os.Getenv(childFixed))))
	case os.Getenv(childAPI) != "":
		delay, err := time.ParseDuration(os.Getenv(childAPI))
		if err != nil {
			panic(err)
		}
		serveChild(load.API(delay))
	default:
		os.Exit(m.Run())
	}
}

func serveChild(handler http.Handler) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("http://" + listener.Addr().String())
	panic(http.Serve(listener, handler))
}

// startChild starts one of the handlers, and kills it when the test ends.
func startChild(t *testing.T, variable, value string) (url string, pid int) {
	t.Helper()
	executable, err := os.Executable()
	require.NoError(t, err)
	command := exec.Command(executable)
	command.Env = append(os.Environ(), variable+"="+value)
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line), command.Process.Pid
}
