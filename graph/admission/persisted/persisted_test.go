package persisted_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

const (
	text  = "{ __typename }"
	other = "{ a: __typename }"
)

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func post(t *testing.T, p *program.Program, body string) string {
	t.Helper()
	return gqltest.Post(t, p.URL+"/graphql", body).Body
}

func extension(id string) string {
	return fmt.Sprintf(`"extensions": {"persistedQuery": {"version": 1, "sha256Hash": %q}}`, id)
}

func TestPersisted_AutomaticPersistedQueries(t *testing.T) {
	p := program.Start(t)
	byHash := "{" + extension(hash(text)) + "}"
	assert.Contains(t, post(t, p, byHash), `"PERSISTED_QUERY_NOT_FOUND"`)
	assert.Contains(t, post(t, p, byHash), `"PersistedQueryNotFound"`)
	assert.Contains(t, post(t, p, `{"query": "`+other+`", `+extension(hash(text))+"}"), "BAD_USER_INPUT")
	assert.Contains(t, post(t, p, byHash), `"PERSISTED_QUERY_NOT_FOUND"`, "a text of another hash is not kept")

	answer := `{"data":{"__typename":"Query"}}`
	assert.JSONEq(t, answer, post(t, p, `{"query": "`+text+`", `+extension(hash(text))+"}"))
	assert.JSONEq(t, answer, post(t, p, byHash))
	byGet := "/graphql?extensions=" + url.QueryEscape(`{"persistedQuery":{"version":1,"sha256Hash":"`+hash(text)+`"}}`)
	assert.JSONEq(t, answer, gqltest.Get(t, p.URL+byGet).Body)
}

func TestPersisted_TrustedDocuments(t *testing.T) {
	for tool, manifest := range map[string]string{
		"Apollo":          `{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id": "an-id", "name": "A", "type": "query", "body": "` + text + `"}]}`,
		"Relay":           `{"an-id": "` + text + `"}`,
		"graphql-codegen": `{"an-id": "` + text + `", "` + hash(text) + `": "` + text + `"}`,
	} {
		t.Run(tool, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "manifest.json")
			require.NoError(t, os.WriteFile(file, []byte(manifest), 0o600))
			p := program.Start(t, "--trusted-documents="+file)
			for name, body := range map[string]string{
				"the id as Apollo sends it":     "{" + extension("an-id") + "}",
				"the id as an appendix has it":  `{"documentId": "an-id"}`,
				"the id as Relay sends it":      `{"doc_id": "an-id", "variables": {}}`,
				"the text's hash":               "{" + extension(hash(text)) + "}",
				"the text itself":               `{"query": "` + text + `"}`,
				"the text and its id":           `{"query": "` + text + `", ` + extension("an-id") + "}",
				"the text, and an empty object": `{"query": "` + text + `", "extensions": {}}`,
			} {
				assert.JSONEq(t, `{"data":{"__typename":"Query"}}`, post(t, p, body), name)
			}
			for name, body := range map[string]string{
				"another text":               `{"query": "` + other + `"}`,
				"a text that is no GraphQL":  `{"query": "{{{"}`,
				"another text and a good id": `{"query": "` + other + `", ` + extension("an-id") + "}",
				"a registration":             `{"query": "` + other + `", ` + extension(hash(other)) + "}",
			} {
				assert.Contains(t, post(t, p, body), "QUERY_NOT_IN_SAFELIST", name)
			}
			assert.Contains(t, post(t, p, `{"documentId": "another-id"}`), "PERSISTED_QUERY_NOT_FOUND")
		})
	}
}
