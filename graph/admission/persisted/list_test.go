package persisted_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

// write puts a manifest in place at once, as a deployment does.
func write(t *testing.T, file, text string) {
	t.Helper()
	fresh := filepath.Join(t.TempDir(), "fresh")
	require.NoError(t, os.WriteFile(fresh, []byte(text), 0o600))
	require.NoError(t, os.Rename(fresh, file))
}

// named is the answer to a document by its id.
func named(t *testing.T, p *program.Program, id string) string {
	t.Helper()
	return post(t, p, fmt.Sprintf(`{"documentId": %q}`, id))
}

func eventually(t *testing.T, p *program.Program, id, want string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(named(t, p, id), want) }, program.Timeout, 50*time.Millisecond, "%s: %s", id, want)
}

func TestList_IsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "manifest.json")
	write(t, file, `{"a": "{ one: __typename }"}`)
	p := program.Start(t, "--trusted-documents="+file)
	assert.Contains(t, named(t, p, "a"), `"one"`)

	write(t, file, `{"a": "{ two: __typename }", "b": "{ three: __typename }"}`)
	eventually(t, p, "b", `"three"`)
	assert.Contains(t, named(t, p, "a"), `"two"`)
	assert.Contains(t, post(t, p, `{"query": "{ one: __typename }"}`), "QUERY_NOT_IN_SAFELIST", "what is gone is not run")

	write(t, file, `{"a": "{ four`)
	require.Eventually(t, func() bool { return strings.Contains(p.Log(), "trusted documents are kept as they were") }, program.Timeout, 50*time.Millisecond)
	assert.Contains(t, p.Log(), "not a JSON object of ids and query texts")
	assert.Contains(t, named(t, p, "a"), `"two"`)
	assert.Contains(t, named(t, p, "b"), `"three"`)

	write(t, file, `{"a": "{ five: __typename }"}`)
	eventually(t, p, "a", `"five"`)
	assert.Equal(t, 1, strings.Count(p.Log(), "kept as they were"), "it is said once")
}

func TestList_OfAFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	one, two := filepath.Join(folder, "one.json"), filepath.Join(folder, "two.json")
	write(t, one, `{"a": "{ one: __typename }"}`)
	write(t, two, `{"b": "{ two: __typename }"}`)
	write(t, filepath.Join(folder, "README.md"), `no manifest`)
	p := program.Start(t, "--trusted-documents="+folder)
	assert.Contains(t, named(t, p, "a"), `"one"`)
	assert.Contains(t, named(t, p, "b"), `"two"`)

	// What is broken keeps its part, and takes nobody else's away.
	write(t, two, `broken`)
	write(t, one, `{"a": "{ three: __typename }"}`)
	write(t, filepath.Join(folder, "three.json"), `{"c": "{ four: __typename }"}`)
	eventually(t, p, "c", `"four"`)
	assert.Contains(t, named(t, p, "a"), `"three"`)
	assert.Contains(t, named(t, p, "b"), `"two"`)

	require.NoError(t, os.Remove(two))
	eventually(t, p, "b", "PERSISTED_QUERY_NOT_FOUND")
	assert.Contains(t, named(t, p, "a"), `"three"`)

	write(t, two, `{"a": "{ another: __typename }"}`)
	require.Eventually(t, func() bool { return strings.Contains(p.Log(), "is that of another document as well") }, program.Timeout, 50*time.Millisecond)
	assert.Contains(t, named(t, p, "a"), `"three"`)
}

func TestList_WhatItCannotStartWith(t *testing.T) {
	folder := t.TempDir()
	assert.Contains(t, program.Refuse(t, "--trusted-documents="+folder), "has no file *.json")
	assert.Contains(t, program.Refuse(t, "--trusted-documents="+filepath.Join(folder, "none")), "--trusted-documents")
	for name, text := range map[string]string{"one.json": `{"a": "{ one: __typename }"}`, "two.json": `{"a": "{ two: __typename }"}`} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	assert.Contains(t, program.Refuse(t, "--trusted-documents="+folder), "is that of another document as well")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "two.json"), []byte(`{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [
		{"id": "b", "name": "A", "type": "query", "body": "{ one: __typename }"}, {"id": "b", "name": "B", "type": "query", "body": "{ two: __typename }"}]}`), 0o600))
	assert.Contains(t, program.Refuse(t, "--trusted-documents="+folder), `two.json: the id "b" is that of another document as well`)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "two.json"), []byte(`[]`), 0o600))
	assert.Contains(t, program.Refuse(t, "--trusted-documents="+folder), "two.json: it is not a JSON object")
}

// An answer that is cached by an id is not given for what the id means afterwards.
func TestList_AChangedDocumentIsNotAnsweredFromTheCache(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "manifest.json")
	job := `job(ids: [\"d4fb871e07514304b23131b45f8caa1f\"]) { ... on Job { name } } }`
	write(t, file, `{"a": "{ one: `+job+`"}`)
	p := program.Start(t, "--trusted-documents="+file)
	for range 3 {
		assert.Contains(t, named(t, p, "a"), `"one"`)
		assert.Contains(t, gqltest.Get(t, p.URL+"/graphql/a").Body, `"one"`)
	}
	write(t, file, `{"a": "{ two: `+job+`", "b": "{ three: __typename }"}`)
	eventually(t, p, "b", `"three"`)
	assert.Contains(t, named(t, p, "a"), `"two"`)
	assert.Contains(t, gqltest.Get(t, p.URL+"/graphql/a").Body, `"two"`)
}

// A document has an address of its own, and its hash a prefix.
func TestPersisted_ByAddressAndByPrefixedHash(t *testing.T) {
	file := filepath.Join(t.TempDir(), "manifest.json")
	const own = "query Own($t: Boolean = true) { __typename @include(if: $t) }"
	write(t, file, `{"an-id": "`+text+`", "own": "`+own+`", "sha256:aa": "{ colon: __typename }"}`)
	trusted, automatic := program.Start(t, "--trusted-documents="+file), program.Start(t)
	post(t, automatic, `{"query": "`+text+`", `+extension(hash(text))+"}")
	const answer = `{"data":{"__typename":"Query"}}`
	for name, p := range map[string]*program.Program{"trusted": trusted, "automatic": automatic} {
		prefixed := "sha256:" + hash(text)
		for _, got := range []gqltest.Answer{
			gqltest.Post(t, p.URL+"/graphql", `{"documentId": "`+prefixed+`"}`),
			gqltest.Post(t, p.URL+"/graphql", "{"+extension(prefixed)+"}"),
			gqltest.Get(t, p.URL+"/graphql?documentId="+prefixed),
			gqltest.Get(t, p.URL+"/graphql/"+prefixed),
			gqltest.Get(t, p.URL+"/graphql/"+hash(text)),
			gqltest.Post(t, p.URL+"/graphql/"+prefixed, `{}`),
			gqltest.Post(t, p.URL+"/graphql/"+prefixed, `{"variables": {}, "extensions": {}}`),
		} {
			assert.Equal(t, http.StatusOK, got.Status, name)
			assert.JSONEq(t, answer, got.Body, name)
		}
		for _, body := range []string{`{"query": "` + text + `"}`, `{"documentId": "an-id"}`, `{"doc_id": "an-id"}`} {
			assert.Equal(t, http.StatusBadRequest, gqltest.Post(t, p.URL+"/graphql/an-id", body).Status, "two documents in one request")
		}
		assert.Contains(t, gqltest.Get(t, p.URL+"/graphql/none").Body, "PERSISTED_QUERY_NOT_FOUND")
		assert.Contains(t, post(t, p, `{"query": "`+text+`", `+extension("sha256:"+hash(other))+"}"), map[string]string{"trusted": "QUERY_NOT_IN_SAFELIST", "automatic": "BAD_USER_INPUT"}[name])
	}
	assert.JSONEq(t, answer, gqltest.Get(t, trusted.URL+"/graphql/an-id").Body)
	assert.JSONEq(t, `{"data":{"colon":"Query"}}`, gqltest.Get(t, trusted.URL+"/graphql/sha256:aa").Body, "an id may look like a hash")
	assert.JSONEq(t, `{"data":{}}`, gqltest.Get(t, trusted.URL+"/graphql/own?variables=%7B%22t%22:false%7D").Body)
	assert.JSONEq(t, `{"data":{}}`, gqltest.Post(t, trusted.URL+"/graphql/own", `{"variables": {"t": false}}`).Body)
	assert.Equal(t, http.StatusNotFound, gqltest.Get(t, trusted.URL+"/graphql/an/id").Status)
}

// The answer of one document is not that of another whose request has the same bytes.
func TestPersisted_DocumentsByAddressNeverMeet(t *testing.T) {
	file := filepath.Join(t.TempDir(), "manifest.json")
	job := `job(ids: [\"d4fb871e07514304b23131b45f8caa1f\"]) { ... on Job { name } } }`
	write(t, file, `{"a": "{ one: `+job+`", "b": "{ two: `+job+`"}`)
	p := program.Start(t, "--trusted-documents="+file)
	for range 2 {
		assert.Contains(t, gqltest.Get(t, p.URL+"/graphql/a").Body, `"one"`)
		assert.Contains(t, gqltest.Get(t, p.URL+"/graphql/b").Body, `"two"`)
		assert.Contains(t, gqltest.Post(t, p.URL+"/graphql/a", "{}").Body, `"one"`)
		assert.Contains(t, gqltest.Post(t, p.URL+"/graphql/b", "{}").Body, `"two"`)
	}
	assert.Contains(t, gqltest.Get(t, p.URL+"/graphql").Body, "BAD_REQUEST")
}

// Metrics tell the operator's documents apart by their operations, whether or not an answer
// comes from the cache.
func TestPersisted_MetricsHaveTheDocumentsName(t *testing.T) {
	file := filepath.Join(t.TempDir(), "manifest.json")
	job := `job(ids: [\"d4fb871e07514304b23131b45f8caa1f\"]) { ... on Job { name } }`
	write(t, file, `{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [
		{"id": "a", "name": "Named", "type": "query", "body": "query Other { `+job+` }"},
		{"id": "b", "name": "not a name", "type": "query", "body": "# query Comment\nfragment f on Job { id } query Text { `+strings.Replace(job, "name", "...f", 1)+` }"},
		{"id": "c", "type": "query", "body": "{ `+job+` }"},
		{"id": "d", "name": "Paged", "type": "query", "body": "query ($n: Int) { jobs(first: $n) { nodes { id } } }"},
		{"id": "e", "name": "Outdated", "type": "query", "body": "{ gone }"}]}`)
	p := program.Start(t, "--trusted-documents="+file)
	for _, id := range []string{"a", "b", "c"} {
		for range 3 {
			named(t, p, id)
		}
	}
	named(t, p, "none")
	post(t, p, `{"documentId": "d", "variables": {"n": 0}}`)
	named(t, p, "e")
	var metrics []string
	for line := range strings.Lines(gqltest.Get(t, p.AdminURL+"/metrics").Body) {
		if strings.HasPrefix(line, "jobgraph_operation_seconds_count") {
			metrics = append(metrics, strings.TrimSpace(line))
		}
	}
	for _, line := range []string{
		`jobgraph_operation_seconds_count{kind="query",operation="Named",outcome="OK"} 3`,
		`jobgraph_operation_seconds_count{kind="query",operation="Text",outcome="OK"} 3`,
		`jobgraph_operation_seconds_count{kind="query",operation="",outcome="OK"} 3`,
		`jobgraph_operation_seconds_count{kind="",operation="",outcome="PERSISTED_QUERY_NOT_FOUND"} 1`,
		`jobgraph_operation_seconds_count{kind="",operation="Paged",outcome="BAD_USER_INPUT"} 1`,
		`jobgraph_operation_seconds_count{kind="",operation="Outdated",outcome="GRAPHQL_VALIDATION_FAILED"} 1`,
	} {
		assert.Contains(t, metrics, line)
	}
}
