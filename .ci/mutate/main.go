// Mutate says which test holds what the program promises: it takes one bound or
// guarantee after the other out of the code, as mutations.go lists them, and the test
// that is named there must fail. The tree itself is never touched: the changed file
// lies over it by go's -overlay.
//
//	go run ./.ci/mutate             all mutations, a quarter of an hour on two cores
//	go run ./.ci/mutate CORS        those whose line has the text
//	go run ./.ci/mutate --check     only that the table fits the tree
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// mutation is one change of the code that a test must notice.
type mutation struct {
	// what is lost.
	what string
	// text stands once in the file, and becomes replacement.
	file, text, replacement string
	// test is the package's one that fails, or one of its subtests.
	folder, test string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("this is no module: %w", err)
	}
	if err := os.Chdir(strings.TrimSpace(string(root))); err != nil {
		return err
	}
	if err := check(); err != nil || slices.Contains(args, "--check") {
		return err
	}
	lost := 0
	for _, m := range mutations {
		if len(args) > 0 && !strings.Contains(fmt.Sprint(m), args[0]) {
			continue
		}
		verdict := "held by " + m.test
		if err := m.held(); err != nil {
			lost++
			verdict = "NOT HELD: " + err.Error()
		}
		fmt.Printf("%-52s %s\n", m.what, verdict)
	}
	if lost > 0 {
		return fmt.Errorf("%d mutations are held by no test", lost)
	}
	return nil
}

// check says which mutations do not fit the tree any more.
func check() error {
	var stale []string
	for _, m := range mutations {
		code, _ := os.ReadFile(m.file) // where there is none, its text is not there either
		if n := strings.Count(string(code), m.text); n != 1 {
			stale = append(stale, fmt.Sprintf("%s: %s has its text %d times, not once", m.what, m.file, n))
		}
		if !m.testExists() {
			stale = append(stale, fmt.Sprintf("%s: %s has no test %s", m.what, m.folder, m.test))
		}
	}
	if len(stale) > 0 {
		return fmt.Errorf(".ci/mutate/mutations.go does not fit the tree:\n%s", strings.Join(stale, "\n"))
	}
	return nil
}

func (m mutation) testExists() bool {
	name, _, _ := strings.Cut(m.test, "/")
	files, _ := filepath.Glob(filepath.Join(m.folder, "*_test.go"))
	return slices.ContainsFunc(files, func(file string) bool {
		code, _ := os.ReadFile(file)
		return strings.Contains(string(code), "\nfunc "+name+"(t *testing.T) {")
	})
}

var failedTest = regexp.MustCompile(`(?m)^--- FAIL: `)

// held runs the test over the changed code. Nothing but a test that fails holds a
// mutation: what does not compile proves nothing.
func (m mutation) held() error {
	overlay, remove, err := m.overlay()
	if err != nil {
		return err
	}
	defer remove()
	// By GOFLAGS, so that a test that builds the program builds the changed one.
	test := exec.Command("go", "test", "-count=1", "-vet=off", "-timeout=2m", "-run=^"+strings.ReplaceAll(m.test, "/", "$/^")+"$", "./"+m.folder)
	test.Env = append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -overlay="+overlay)
	output, failed := test.CombinedOutput()
	switch {
	case failed == nil:
		return errors.New(m.test + " is green")
	case !failedTest.Match(output):
		return fmt.Errorf("%s has not run to its end: %w\n%.1000s", m.test, failed, output)
	}
	return nil
}

// overlay writes the changed file, and what tells go where it belongs.
func (m mutation) overlay() (path string, remove func(), err error) {
	folder, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(folder) }
	code, err := os.ReadFile(m.file)
	if err != nil {
		return "", remove, err
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		return "", remove, err
	}
	changed := filepath.Join(folder, "changed.go")
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		return "", remove, err
	}
	path = filepath.Join(folder, "overlay.json")
	return path, remove, errors.Join(
		os.WriteFile(changed, []byte(strings.Replace(string(code), m.text, m.replacement, 1)), 0o600),
		os.WriteFile(path, list, 0o600))
}
