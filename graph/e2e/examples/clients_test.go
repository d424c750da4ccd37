package examples_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/sandbox"
)

// clientOutput is what each JavaScript client prints of what it read.
type clientOutput struct {
	Jobs []struct {
		Typename string `json:"__typename"`
		ID       string
		Name     string
		Status   string
		JobID    string
		Type     string
		// Retryable is nil where the answer is a job.
		Retryable *bool
	}
	One    struct{ Name string }
	Cached []string
	Stored struct{ Name, DueDate string }
}

func TestClients_TypeScriptClients(t *testing.T) {
	t.Parallel()
	needsNode(t)
	server := program.Start(t)
	run(t, "env", "SCHEMA="+server.URL+"/schema.graphqls", "node_modules/.bin/graphql-codegen", "--config", "clients/codegen.ts")
	run(t, "node_modules/.bin/tsc", "--project", "clients")
	t.Run("Apollo Client", func(t *testing.T) {
		output := runClient(t, "clients/build/apollo.js", server.URL)
		assert.Equal(t, "example_job", output.One.Name, "from the cache alone")
		assert.Contains(t, output.Cached, "Job:"+sandbox.DocumentedJobID)
	})
	t.Run("urql", func(t *testing.T) {
		output := runClient(t, "clients/build/urql.js", server.URL)
		assert.Equal(t, "example_job", output.One.Name)
	})
	t.Run("lists", func(t *testing.T) {
		large := startLarge(t)
		t.Run("Apollo Client", func(t *testing.T) {
			var output listOutput
			// Its cache looks at the whole list again with each page.
			decodeJSON(t, run(t, "node", "clients/build/apollo-list.js", large.URL+"/graphql", "5000"), &output)
			hasAll(t, output, 5000)
		})
		t.Run("urql", func(t *testing.T) {
			var output listOutput
			decodeJSON(t, run(t, "node", "clients/build/urql-list.js", large.URL+"/graphql", "1000"), &output)
			hasAll(t, output, 1000)
		})
	})
}

// volume is how many jobs the clients page through.
const volume = 20_000

// startLarge starts a server with large pages on a sandbox with that many jobs.
func startLarge(t *testing.T) *program.Program {
	t.Helper()
	api := program.Start(t, "sandbox", "--jobs", strconv.Itoa(volume))
	return program.Start(t, "--upstream-url", api.URL, "--upstream-token", sandbox.Token, "--max-ids", "5000", "--max-response-fields", "100000",
		"--upstream-timeout", "1m") // a large list may take its time
}

// listOutput is what each client that pages through the list prints of it.
type listOutput struct {
	Pages int
	IDs   []string
}

// hasAll wants each of the many jobs once, in as many pages of that size as they need with the few others.
func hasAll(t *testing.T, output listOutput, size int) {
	t.Helper()
	assert.Equal(t, volume/size+1, output.Pages)
	seen := map[string]bool{}
	for _, id := range output.IDs {
		assert.False(t, seen[id], "%s comes twice", id)
		seen[id] = true
	}
	for i := range volume {
		require.True(t, seen[sandbox.VolumeJobID(i)], "job %d is missing", i)
	}
}

func decodeJSON(t *testing.T, text string, to any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), to), "%.200s", text)
}

func TestClients_GQLTada(t *testing.T) {
	t.Parallel()
	needsNode(t)
	program.NeedFile(t, "node_modules/gql.tada", "run npm ci --ignore-scripts in graph/e2e/examples")
	server := program.Start(t)
	types := run(t, "node", "clients/tada/schema.js", server.URL+"/graphql")
	require.NoError(t, os.WriteFile("clients/tada/introspection.ts", []byte(types), 0o600))
	run(t, "node_modules/.bin/tsc", "--project", "clients/tada")
	assert.Equal(t, "example_job", runClient(t, "clients/tada/build/jobs.js", server.URL).One.Name)
}

// What a registry of schemas is given is the SDL that a gateway reads.
func TestClients_TheSDLOfARegistry(t *testing.T) {
	needsNode(t)
	assert.Equal(t, graph.SDL(), run(t, "node", "federation/sdl.js", program.Start(t).URL+"/graphql"))
}

func TestClients_Relay(t *testing.T) {
	t.Parallel()
	needsNode(t)
	server := program.Start(t)
	writeSchema(t, server, "clients/relay/schema.graphql")
	runIn(t, "clients/relay", "npx", "relay-compiler")
	runIn(t, "clients/relay", "npx", "babel", "jobs.js", "--out-file", "built.js")
	output := runClient(t, "clients/relay/built.js", server.URL)
	assert.Equal(t, "example_job", output.Stored.Name)
	assert.NotEmpty(t, output.Stored.DueDate, "the refetch brought a field that the list had not")

	t.Run("list", func(t *testing.T) {
		runIn(t, "clients/relay", "npx", "babel", "list.js", "--out-file", "built-list.js")
		var list listOutput
		decodeJSON(t, run(t, "node", "clients/relay/built-list.js", startLarge(t).URL+"/graphql", "1000"), &list)
		hasAll(t, list, 1000)
	})
}

// writeSchema writes the schema that the server shows to clients.
func writeSchema(t *testing.T, server *program.Program, file string) {
	t.Helper()
	schema := gqltest.Get(t, server.URL+"/schema.graphqls")
	require.Equal(t, http.StatusOK, schema.Status, schema.Body)
	require.NoError(t, os.WriteFile(file, []byte(schema.Body), 0o600))
}

// runClient runs a client that asks for the documented job and one that does not exist.
func runClient(t *testing.T, script, server string) clientOutput {
	t.Helper()
	var output clientOutput
	decodeJSON(t, run(t, "node", script, server+"/graphql"), &output)
	require.Len(t, output.Jobs, 2)
	job, failed := output.Jobs[0], output.Jobs[1]
	assert.Equal(t, "Job", job.Typename)
	assert.Equal(t, "example_job", job.Name)
	assert.Equal(t, "COMPLETE", job.Status)
	assert.Nil(t, job.Retryable)
	assert.Equal(t, "ApiError", failed.Typename)
	assert.Equal(t, missingJob, failed.JobID)
	assert.Equal(t, "ITEM_NOT_FOUND", failed.Type)
	assert.Equal(t, false, *failed.Retryable)
	return output
}

// The Go client is a module of its own, so that its generator is no dependency of JobGraph.
func TestClients_Genqlient(t *testing.T) {
	t.Parallel()
	server := program.Start(t)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("clients/go")))
	writeSchema(t, server, filepath.Join(dir, "schema.graphqls"))
	runIn(t, dir, "go", "tool", "genqlient")
	runIn(t, dir, "go", "vet", ".")
	output := runIn(t, dir, "go", "run", ".", server.URL+"/graphql")
	assert.Equal(t, "example_job true 2014-08-29 14:00:06.472706 +0000 UTC\n"+
		missingJob+" ITEM_NOT_FOUND false\n", output)

	lines := strings.Fields(runIn(t, dir, "go", "run", ".", startLarge(t).URL+"/graphql", "1000"))
	last := len(lines) - 1
	pages, err := strconv.Atoi(lines[last])
	require.NoError(t, err)
	hasAll(t, listOutput{pages, lines[:last]}, 1000)
}
