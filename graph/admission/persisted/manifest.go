package persisted

import (
	"errors"
	"fmt"
	"os"

	"github.com/go-json-experiment/json"
)

// maxManifestBytes bounds the file that is read at start.
const maxManifestBytes = 64 << 20

// ReadManifest reads the operator's list of documents. It takes what the tools
// write: Apollo's {"format": "apollo-persisted-query-manifest", "version": 1,
// "operations": [{"id": …, "body": …}]}, and the object of ids and texts of Relay
// and graphql-codegen. A text is found by its SHA-256 as well as by its id.
func ReadManifest(file string) (map[string]string, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case info.Size() > maxManifestBytes:
		return nil, fmt.Errorf("%s is larger than %d MiB", file, maxManifestBytes>>20)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	documents, err := parseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, text := range documents {
		documents[hash(text)] = text
	}
	return documents, nil
}

func parseManifest(text []byte) (map[string]string, error) {
	var apollo struct {
		Format     string `json:"format"`
		Version    int    `json:"version"`
		Operations []struct {
			ID   string `json:"id"`
			Body string `json:"body"`
		} `json:"operations"`
	}
	documents := map[string]string{}
	if json.Unmarshal(text, &apollo) == nil && apollo.Operations != nil {
		if apollo.Version != 1 {
			return nil, errors.New("it is not a manifest of version 1")
		}
		for _, operation := range apollo.Operations {
			documents[operation.ID] = operation.Body
		}
	} else if json.Unmarshal(text, &documents) != nil {
		return nil, errors.New(`it is not a JSON object of ids and query texts, nor Apollo's manifest`)
	}
	for id, text := range documents {
		if id == "" || text == "" {
			return nil, errors.New("an id or a text is empty")
		}
	}
	return documents, nil
}
