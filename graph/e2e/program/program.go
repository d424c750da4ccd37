// Package program runs the whole program in tests, as a user would: in this process, where
// the race detector and the coverage tool see it, or built, in a process of its own.
package program

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/serve"
)

// Timeout bounds every wait for the program: far more than it needs.
const Timeout = 30 * time.Second

// Program is a running jobgraph.
type Program struct {
	// URL is the base address that it announced, such as http://127.0.0.1:43210.
	URL string
	// AdminURL is the base address of metrics and profiles, "" where there is none.
	AdminURL string

	stderr buffer
	pid    int
	stop   func() // asks it to end
	kill   func()
	exited chan error // gives how it ended, and is closed
}

// Start runs the program in this process with the arguments, on addresses of its own, and
// stops it when the test ends. The arguments may override the addresses; sandbox as the
// first of them starts the sandbox.
func Start(t testing.TB, args ...string) *Program {
	t.Helper()
	withoutSettings()
	ctx, stop := context.WithCancel(context.Background())
	p := &Program{pid: os.Getpid(), stop: stop, kill: func() {}, exited: make(chan error, 1)}
	stdout, out := io.Pipe()
	go func() {
		err := serve.Run(ctx, own(args), out, &p.stderr)
		_ = out.Close()
		p.exited <- err
		close(p.exited)
	}()
	p.await(t, stdout)
	return p
}

// Spawn is Start with the built program in a process of its own, for what a test wants to
// know of the process: its memory, its goroutines, its signals.
func Spawn(t testing.TB, args ...string) *Program {
	t.Helper()
	command := Command(t, own(args)...)
	p := &Program{exited: make(chan error, 1),
		stop: func() { _ = command.Process.Signal(syscall.SIGTERM) },
		kill: func() { _ = command.Process.Kill() }}
	command.Stderr = &p.stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p.pid = command.Process.Pid
	all, out := io.Pipe()
	go func() {
		_, _ = io.Copy(out, stdout)
		_ = out.Close()
		p.exited <- command.Wait()
		close(p.exited)
	}()
	p.await(t, all)
	return p
}

// Metrics is the text of all metrics.
func (p *Program) Metrics(t testing.TB) string {
	t.Helper()
	return gqltest.Get(t, p.AdminURL+"/metrics").Body
}

// Metric is the value of a metric that has no labels.
func (p *Program) Metric(t testing.TB, name string) float64 {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(p.Metrics(t))
	if found == nil {
		t.Errorf("there is no metric %s", name)
		return 0
	}
	value, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Error(err)
	}
	return value
}

// Pause waits so long, or until ctx is done.
func Pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// own puts addresses of the test's own before the arguments.
func own(args []string) []string {
	if len(args) > 0 && args[0] == "sandbox" {
		return append([]string{"sandbox", "--listen", "127.0.0.1:0"}, args[1:]...)
	}
	return append([]string{"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, args...)
}

// withoutSettings takes the program's settings out of this process's environment.
var withoutSettings = sync.OnceFunc(func() {
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); isSetting(name) {
			_ = os.Unsetenv(name)
		}
	}
})

// isSetting tells the program's settings from the tests' own, such as JOBGRAPH_REQUIRE_ALL.
func isSetting(name string) bool {
	return strings.HasPrefix(name, "JOBGRAPH_") && name != requireAll && name != "JOBGRAPH_BENCH" && name != "JOBGRAPH_PICTURE"
}

// await returns when the program has announced its addresses.
func (p *Program) await(t testing.TB, stdout io.Reader) {
	t.Helper()
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Errorf("the program ended with %v\n%s", err, p.Log())
		}
	})
	announced := make(chan struct{})
	go p.read(stdout, announced)
	select {
	case <-announced:
	case <-time.After(Timeout):
	}
	if p.URL == "" {
		t.Fatalf("the program announced no address\n%s", p.Log())
	}
}

// read takes the addresses from what the program prints up to "Try:", and
// everything else away, so that the program is never blocked on us.
func (p *Program) read(stdout io.Reader, announced chan<- struct{}) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Try:") {
		words := strings.Fields(lines.Text())
		for i, word := range words {
			switch {
			case !strings.HasPrefix(word, "http://"):
			case i > 0 && words[i-1] == "metrics":
				p.AdminURL = strings.TrimSuffix(word, "/metrics")
			case i > 0 && words[i-1] == "GraphQL":
				p.URL = strings.TrimSuffix(word, "/graphql")
			case strings.HasSuffix(word, "/api/job/info"):
				p.URL = strings.TrimSuffix(word, "/api/job/info")
			}
		}
	}
	close(announced)
	_, _ = io.Copy(io.Discard, stdout)
}

// Stop asks the program to end and waits until it did; nil is exit code 0.
func (p *Program) Stop() error {
	p.stop()
	select {
	case err := <-p.exited:
		return err
	case <-time.After(Timeout):
		p.kill()
		return errors.New("it did not end")
	}
}

// PID is the process's number, for what it used of the machine.
func (p *Program) PID() int { return p.pid }

// Log is what the program has logged so far.
func (p *Program) Log() string { return p.stderr.String() }

// Command is the built program, not started yet, without any setting of this
// process's environment.
func Command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(path, args...)
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); !isSetting(name) {
			command.Env = append(command.Env, setting)
		}
	}
	return command
}

// Refuse runs the program with settings that it must not start with, and gives the one
// line that it says.
func Refuse(t testing.TB, args ...string) string {
	t.Helper()
	withoutSettings()
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	defer cancel()
	err := serve.Run(ctx, args, io.Discard, io.Discard)
	if err == nil {
		t.Errorf("%q: the program started", args)
		return ""
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q: not one line:\n%v", args, err)
	}
	return err.Error()
}

// buffer is a bytes.Buffer that may be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
