// Package program runs the built program in tests, as a user would.
package program

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience bounds every wait for the program: far more than it needs.
const Patience = 30 * time.Second

// Program is a running jobgraph.
type Program struct {
	// URL is the base address that it announced, such as http://127.0.0.1:43210.
	URL string
	// AdminURL is the base address of metrics and profiles, "" where there is none.
	AdminURL string

	command *exec.Cmd
	stderr  buffer
	exited  chan error
}

// Start builds the program once, starts it with the arguments on addresses of its
// own, and stops it when the test ends. The arguments may override the addresses;
// sandbox as the first of them starts the sandbox.
func Start(t testing.TB, args ...string) *Program {
	t.Helper()
	own := []string{"--listen", "127.0.0.1:0"}
	if len(args) > 0 && args[0] == "sandbox" {
		own, args = append([]string{"sandbox"}, own...), args[1:]
	} else {
		own = append(own, "--admin-listen", "127.0.0.1:0")
	}
	p := &Program{command: Command(t, append(own, args...)...), exited: make(chan error, 1)}
	p.command.Stderr = &p.stderr
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Errorf("the program ended with %v\n%s", err, p.Log())
		}
	})
	announced := make(chan struct{})
	go p.read(stdout, announced)
	select {
	case <-announced:
	case <-time.After(Patience):
	}
	if p.URL == "" {
		t.Fatalf("the program announced no address\n%s", p.Log())
	}
	return p
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
	p.exited <- p.command.Wait()
	close(p.exited)
}

// Stop asks the program to end and waits until it did; nil is exit code 0.
func (p *Program) Stop() error {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.exited:
		return err
	case <-time.After(Patience):
		_ = p.command.Process.Kill()
		return errors.New("it had to be killed")
	}
}

// PID is the process's number, for what it used of the machine.
func (p *Program) PID() int { return p.command.Process.Pid }

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
		if !strings.HasPrefix(setting, "JOBGRAPH_") {
			command.Env = append(command.Env, setting)
		}
	}
	return command
}

// Refuse runs the program with settings that it must not start with, and gives
// what it says: exit code 1 and one line.
func Refuse(t testing.TB, args ...string) string {
	t.Helper()
	command := Command(t, args...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	hung := time.AfterFunc(Patience, func() { _ = command.Process.Kill() })
	defer hung.Stop()
	err := command.Run()
	if code := command.ProcessState.ExitCode(); err == nil || code != 1 {
		t.Errorf("%q: exit code %d\n%s", args, code, &stderr)
	}
	said, rest, _ := strings.Cut(stderr.String(), "\n")
	if !strings.HasPrefix(said, "jobgraph: ") || rest != "" {
		t.Errorf("%q: not one line of its own:\n%s", args, &stderr)
	}
	return said
}

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

// NeedTool gives the path of a tool such as "node", and skips the test where this
// machine has none.
func NeedTool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		lacks(t, name+" is not on this machine")
	}
	return path
}

// NeedFile skips the test where the path does not exist; mend says how to get it.
func NeedFile(t testing.TB, path, mend string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		lacks(t, path+" is missing: "+mend)
	}
}

// lacks skips the test, or fails it where JOBGRAPH_REQUIRE_ALL is set, as the
// gate does.
func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("JOBGRAPH_REQUIRE_ALL") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
