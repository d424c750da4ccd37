// Package redistest runs a redis-server of a test's own.
package redistest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"jobgraph/upstream/freeport"
)

// Password is what the server is entered with.
const Password = "a-password-that-nobody-may-see"

// timeout bounds every wait for the server: far more than it needs.
const timeout = 20 * time.Second

// Server is a redis-server on a port of its own, which keeps nothing on disk.
type Server struct {
	// Address is its host and port, URL what a program is told, password and all.
	Address, URL string

	t       testing.TB
	path    string
	args    []string
	command *exec.Cmd
}

// Start starts a server with the arguments, such as --maxmemory 2mb, which ends with the test. It skips
// the test where this machine has none, or fails it where JOBGRAPH_REQUIRE_ALL is set.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("JOBGRAPH_REQUIRE_ALL") != "" {
			t.Fatal("redis-server is not on this machine")
		}
		t.Skip("redis-server is not on this machine: apt-get install redis-server")
	}
	address, port := FreeAddress(t)
	s := &Server{Address: address, URL: "redis://:" + Password + "@" + address, t: t, path: path,
		args: append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir(),
			"--requirepass", Password}, args...)}
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

// FreeAddress is one that nothing listens on, and its port.
func FreeAddress(t testing.TB) (address, port string) {
	t.Helper()
	port = freeport.Get(t)
	return "127.0.0.1:" + port, port
}

// Restart starts the server, empty, after it was killed.
func (s *Server) Restart() {
	s.t.Helper()
	s.command = exec.Command(s.path, s.args...)
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(timeout); ; {
		conn, err := net.DialTimeout("tcp", s.Address, time.Second)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatal("redis-server does not start")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Kill ends the server at once, if it runs.
func (s *Server) Kill() {
	if s.command == nil {
		return
	}
	_ = s.command.Process.Kill()
	_ = s.command.Wait()
	s.command = nil
}

// Freeze has the server do nothing until Thaw, with its connections open.
func (s *Server) Freeze() { _ = s.command.Process.Signal(syscall.SIGSTOP) }

// Thaw has it go on.
func (s *Server) Thaw() { _ = s.command.Process.Signal(syscall.SIGCONT) }

// Client speaks to the server, as who may see everything, until the test ends.
func (s *Server) Client() rueidis.Client {
	s.t.Helper()
	client := s.connect()
	s.t.Cleanup(client.Close)
	return client
}

func (s *Server) connect() rueidis.Client {
	s.t.Helper()
	opts := rueidis.MustParseURL(s.URL)
	opts.ForceSingleClient = true
	client, err := rueidis.NewClient(opts)
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

// Do runs a command, such as SET key value, and gives what the server answers.
func (s *Server) Do(words ...string) rueidis.RedisResult {
	s.t.Helper()
	client := s.connect()
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return client.Do(ctx, client.B().Arbitrary(words...).Build())
}

// Keys are the names of all keys.
func (s *Server) Keys() []string {
	s.t.Helper()
	keys, err := s.Do("KEYS", "*").AsStrSlice()
	if err != nil {
		s.t.Fatal(err)
	}
	return keys
}

// Dump is all that the server holds: each key's name and its value, as DUMP gives it.
func (s *Server) Dump() string {
	s.t.Helper()
	var all strings.Builder
	for _, key := range s.Keys() {
		value, _ := s.Do("DUMP", key).ToString()
		all.WriteString(key + "\n" + value + "\n")
	}
	return all.String()
}
