// Generate writes modules.txt: the license texts and notices of the program's modules as
// they stand in the module cache, each at most once.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Linux has the most modules; the result must not depend on who runs this.
var target = []string{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0"}

var notice = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

func main() {
	log.SetFlags(0)
	if err := generate("modules.txt"); err != nil {
		log.Fatal("licenses: ", err)
	}
}

// A module's directories are those of the packages that are linked.
type module struct {
	title, root string
	directories []string
}

func generate(path string) error {
	modules, err := linked()
	if err != nil {
		return err
	}
	var page strings.Builder
	page.WriteString("# Licenses\n\nWhat the program is made of, and the notices that come with it.\n")
	for _, m := range modules {
		texts, err := m.texts()
		if err != nil {
			return err
		}
		fmt.Fprintf(&page, "\n## %s\n\n%s\n", m.title, strings.Join(texts, "\n\n"))
	}
	return os.WriteFile(path, []byte(page.String()), 0o644)
}

// linked are the modules of the program's packages by name, after Go itself.
func linked() ([]module, error) {
	list := exec.Command("go", "list", "-deps", "-f", "{{.Dir}}\t{{with .Module}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}", "jobgraph")
	list.Env = append(os.Environ(), target...)
	list.Stderr = os.Stderr
	output, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	all := map[string]module{}
	lines := bufio.NewScanner(bytes.NewReader(output))
	for lines.Scan() {
		columns := strings.Split(lines.Text(), "\t")
		if len(columns) == 3 { // of the standard library there is no module
			m := all[columns[1]]
			all[columns[1]] = module{strings.TrimSpace(columns[1]), columns[2], append(m.directories, columns[0])}
		}
	}
	golang := strings.TrimSpace(string(root))
	modules := []module{{"Go", golang, []string{golang}}}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		modules = append(modules, all[name])
	}
	return modules, nil
}

// texts are the notices beside the linked packages and above them: what a module has
// copied from others has its own license there.
func (m module) texts() ([]string, error) {
	var texts []string
	seen := map[string]bool{}
	for _, directory := range m.directories {
		for ; !seen[directory]; directory = filepath.Dir(directory) {
			seen[directory] = true
			entries, err := os.ReadDir(directory)
			if err != nil {
				return nil, err
			}
			found, err := read(directory, entries)
			if err != nil {
				return nil, err
			}
			for _, text := range found {
				if !slices.Contains(texts, text) {
					texts = append(texts, text)
				}
			}
			if directory == m.root {
				break
			}
		}
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%s has no license file in %s: look for its license before you use it", m.title, m.root)
	}
	slices.Sort(texts) // not in the order in which packages depend on each other
	return texts, nil
}

func read(directory string, entries []fs.DirEntry) ([]string, error) {
	var texts []string
	for _, entry := range entries {
		if entry.IsDir() || !notice.MatchString(entry.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(directory, entry.Name()))
		if err != nil {
			return nil, err
		}
		texts = append(texts, strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")))
	}
	return texts, nil
}
