package persisted

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

const (
	// maxManifestBytes bounds a manifest, and those of a folder together.
	maxManifestBytes = 64 << 20
	// maxManifests bounds the files of a folder.
	maxManifests = 1000
)

// A document is a query text of the operator's, with the name of its operation.
type document struct{ text, name string }

// manifest is what a file has held when it was last read whole.
type manifest struct {
	documents map[string]document // by their ids
	// signature is the file's when it was last looked at, and failure why it could not be read.
	signature signature
	failure   error
}

// signature changes with a file. The file itself tells a link that points elsewhere now, as
// with the volumes of Kubernetes.
type signature struct {
	size, modified int64
	file           string
}

// files are the manifests at a path: the file itself, or the *.json of a folder.
func files(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	found, err := filepath.Glob(filepath.Join(filepath.Clean(path), "*.json"))
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, fmt.Errorf("%s has no file *.json", path)
	case len(found) > maxManifests:
		return nil, fmt.Errorf("%s has more than %d files", path, maxManifests)
	}
	slices.Sort(found)
	return found, nil
}

func signatureOf(path string) (signature, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return signature{}, err
	}
	info, err := os.Stat(real)
	if err != nil {
		return signature{}, err
	}
	return signature{info.Size(), info.ModTime().UnixNano(), real}, nil
}

// refresh is the manifest after one more look at the file, and whether its documents are
// others. A file is read once for each change, whether or not it can be.
func (m *manifest) refresh(path string) (now *manifest, news bool) {
	now = &manifest{}
	if m != nil {
		*now = *m
	}
	s, err := signatureOf(path)
	if err != nil {
		now.failure = err
		return now, false
	}
	if m != nil && m.signature == s {
		return now, false
	}
	now.signature = s
	documents, err := readManifest(path, s.size)
	if now.failure = err; err != nil {
		return now, false
	}
	now.documents = documents
	return now, true
}

// readManifest takes what the tools write: Apollo's {"format":
// "apollo-persisted-query-manifest", "version": 1, "operations": [{"id": …, "name": …,
// "body": …}]}, and the object of ids and texts of Relay and graphql-codegen.
func readManifest(path string, size int64) (map[string]document, error) {
	if size > maxManifestBytes {
		return nil, fmt.Errorf("%s is larger than %d MiB", path, maxManifestBytes>>20)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	documents, err := parseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return documents, nil
}

func parseManifest(text []byte) (map[string]document, error) {
	var apollo struct {
		Format     string `json:"format"`
		Version    int    `json:"version"`
		Operations []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
			Body string `json:"body"`
		} `json:"operations"`
	}
	documents, texts := map[string]document{}, map[string]string{}
	if json.Unmarshal(text, &apollo) == nil && apollo.Operations != nil {
		if apollo.Version != 1 {
			return nil, errors.New("it is not a manifest of version 1")
		}
		for _, operation := range apollo.Operations {
			if known, ok := documents[operation.ID]; ok && known.text != operation.Body {
				return nil, fmt.Errorf("the id %.80q is that of another document as well", operation.ID)
			}
			documents[operation.ID] = document{operation.Body, operation.Name}
		}
	} else if json.Unmarshal(text, &texts) != nil {
		return nil, errors.New(`it is not a JSON object of ids and query texts, nor Apollo's manifest`)
	}
	for id, text := range texts {
		documents[id] = document{text: text}
	}
	for id, d := range documents {
		if id == "" || d.text == "" {
			return nil, errors.New("an id or a text is empty")
		}
		if !operationName.MatchString(d.name) {
			d.name = nameIn(d.text)
			documents[id] = d
		}
	}
	return documents, nil
}

var (
	operationName  = regexp.MustCompile(`^[_A-Za-z][_0-9A-Za-z]{0,127}$`)
	operationStart = regexp.MustCompile(`(?:^|[}\s])(?:query|subscription)\s+([_A-Za-z][_0-9A-Za-z]{0,127})`)
)

// nameIn is the name of the text's first operation, "" where it has none.
func nameIn(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i], _, _ = strings.Cut(line, "#") // a comment names nothing
	}
	if match := operationStart.FindStringSubmatch(strings.Join(lines, "\n")); match != nil {
		return match[1]
	}
	return ""
}
