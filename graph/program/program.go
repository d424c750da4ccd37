// Package program runs the built program for tests, as its users run it.
package program

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Program is one running program.
type Program struct {
	// URL is the API's address, such as http://127.0.0.1:40123, AdminURL that of
	// metrics and profiles.
	URL, AdminURL string
	// Process is the running process, for what it used of the machine.
	Process *os.Process

	mu     sync.Mutex
	output bytes.Buffer
}

var built struct {
	once sync.Once
	path string
	err  error
}

// build builds the program once for each test binary.
func build() (string, error) {
	built.once.Do(func() {
		root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
		if err != nil {
			built.err = fmt.Errorf("find the module: %w", err)
			return
		}
		module := string(bytes.TrimSpace(root))
		if built.err = lookAt(module); built.err != nil {
			return
		}
		folder, err := os.MkdirTemp("", "jobgraph")
		if err != nil {
			built.err = err
			return
		}
		built.path = filepath.Join(folder, "jobgraph")
		command := exec.Command("go", "build", "-o", built.path, ".")
		command.Dir = module
		if output, err := command.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build the program: %w\n%s", err, output)
		}
	})
	return built.path, built.err
}

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

// Main runs a test binary and removes what was built: call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if built.path != "" {
		_ = os.RemoveAll(filepath.Dir(built.path))
	}
	os.Exit(code)
}

var (
	apiLine   = regexp.MustCompile(`GraphQL +(http://\S+)/graphql`)
	adminLine = regexp.MustCompile(`admin +(http://\S+)`)
)

// Start starts the program on ports of the kernel's choice, waits until it serves,
// and stops it with SIGTERM when the test is done, which must end in success.
func Start(t testing.TB, args ...string) *Program {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(path, append([]string{"--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"}, args...)...)
	p := &Program{}
	command.Stderr = p
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p.Process = command.Process
	reader := bufio.NewReader(stdout)
	ready := p.readAddresses(reader)
	rest := make(chan struct{})
	go func() {
		defer close(rest)
		_, _ = io.Copy(p, reader)
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		<-rest
		if err := command.Wait(); err != nil && ready == nil {
			t.Errorf("the program did not end well: %v\n%s", err, p.Output())
		}
	})
	if ready != nil {
		t.Fatalf("the program does not start: %v\n%s", ready, p.Output())
	}
	return p
}

// readAddresses reads what the program announces at start.
func (p *Program) readAddresses(reader *bufio.Reader) error {
	for p.URL == "" || p.AdminURL == "" {
		line, err := reader.ReadString('\n')
		_, _ = p.Write([]byte(line))
		if err != nil {
			return err
		}
		if found := apiLine.FindStringSubmatch(line); found != nil {
			p.URL = found[1]
		}
		if found := adminLine.FindStringSubmatch(line); found != nil {
			p.AdminURL = found[1]
		}
	}
	return nil
}

// Write keeps what the program writes.
func (p *Program) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.Write(text)
}

// Output is what the program has written so far, its log included.
func (p *Program) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// Refuse runs the program with arguments that it must not start with, and gives
// what it says.
func Refuse(t testing.TB, args ...string) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	output, err := exec.CommandContext(ctx, path, append([]string{"--listen=127.0.0.1:0", "--admin-listen="}, args...)...).CombinedOutput()
	if err == nil || ctx.Err() != nil {
		t.Errorf("the program started with %q: %v\n%s", args, ctx.Err(), output)
	}
	return string(output)
}
