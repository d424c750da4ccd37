package examples_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/freeport"
	"jobgraph/upstream/sandbox"
)

// referencedJobs are 25 ids: the sandbox's, copies of one of them, one that does
// not exist and one that is refused.
func referencedJobs() []string {
	ids := []string{missingJob, refusedJob}
	for _, job := range sandbox.Jobs() {
		if job.ID != sandbox.ExampleRequestJobID { // its body is another job's
			ids = append(ids, job.ID)
		}
	}
	for n := 0; len(ids) < 25; n++ {
		ids = append(ids, fmt.Sprintf("%s%04d", copyPrefix, n))
	}
	return ids
}

type composed struct {
	upstream   *counted
	dir        string
	jobs       string
	projects   string
	supergraph string
}

// compose starts both subgraphs and composes them as the README says.
func compose(t *testing.T) *composed {
	t.Helper()
	needsNode(t)
	c := &composed{upstream: newCounted(t), dir: t.TempDir()}
	c.jobs = program.Start(t, "--upstream-url", c.upstream.URL, "--poll-interval", "100ms", "--poll-max", "100ms").URL + "/graphql"
	c.projects = start(t, `^ready (.*)$`, "node", "federation/projects.js", "--port", "0", "--jobs", strings.Join(referencedJobs(), ","))
	c.supergraph = filepath.Join(c.dir, "supergraph.graphql")
	sdl := run(t, "node", "federation/compose.js", "jobs="+c.jobs, "projects="+c.projects)
	require.NoError(t, os.WriteFile(c.supergraph, []byte(sdl), 0o600))
	return c
}

func TestFederation(t *testing.T) {
	t.Parallel()
	c := compose(t)
	t.Run("wgc composes", func(t *testing.T) {
		config, err := os.ReadFile("federation/graph.yaml")
		require.NoError(t, err)
		own := strings.NewReplacer("http://localhost:8080/graphql", c.jobs, "http://localhost:4001/", c.projects)
		input, output := filepath.Join(c.dir, "graph.yaml"), filepath.Join(c.dir, "router.json")
		require.NoError(t, os.WriteFile(input, []byte(own.Replace(string(config))), 0o600))
		said := run(t, "node_modules/.bin/wgc", "router", "compose", "--input", input, "--out", output)
		assert.NotContains(t, strings.ToLower(said), "warning")
		router, err := os.ReadFile(output)
		require.NoError(t, err)
		assert.Contains(t, string(router), c.jobs)
	})
	t.Run("three composers compose", func(t *testing.T) {
		for _, jobs := range []string{c.jobs, program.Start(t, "--federation-version=2.0").URL + "/graphql"} {
			said := run(t, "node", "federation/composers.js", "jobs="+jobs, "projects=federation/projects.graphql")
			assert.Equal(t, "apollo composes\ncosmo composes\nguild composes\n", said)
			said = run(t, "node", "federation/composers.js", "jobs="+jobs, "projects=federation/projects.graphql", "orders=federation/orders.graphql")
			assert.Equal(t, "apollo composes\ncosmo composes\nguild composes\n", said, "beside neighbours that use either key")
		}
	})
	t.Run("a neighbour has types of the same names", func(t *testing.T) {
		plain := exec.CommandContext(t.Context(), "node", "federation/composers.js", "jobs="+c.jobs, "tickets=federation/neighbour.graphql")
		said, err := plain.Output()
		assert.Error(t, err, "it does not compose")
		assert.NotContains(t, string(said), "composes", "with any composer")
		for _, version := range []string{"2.9", "2.0"} {
			prefixed := program.Start(t, "--type-prefix=Caption", "--federation-version="+version).URL + "/graphql"
			assert.Equal(t, "apollo composes\ncosmo composes\nguild composes\n",
				run(t, "node", "federation/composers.js", "jobs="+prefixed, "tickets=federation/neighbour.graphql"))
		}
	})
	t.Run("a router reads the cost that JobGraph tells", func(t *testing.T) {
		url := start(t, `Listening on (http://[0-9.:]+)`, "node_modules/.bin/hive-gateway", "supergraph", c.supergraph,
			"--config-path", "federation/gateway-cost.config.js", "--host", "127.0.0.1", "--port", freeport.Get(t)) + "/graphql"
		ids := strings.ReplaceAll(fmt.Sprintf("%q", slices.Repeat([]string{copied}, 10)), `" "`, `", "`)
		for _, price := range []struct {
			query     string
			own, more int
		}{
			{`{ job(ids: ` + ids + `) { ... on Job { id returnTargets { kind } } } }`, 150, 10},
			{`{ jobs(first: 7) { edges { cursor } pageInfo { hasNextPage } } }`, 18, 1},
		} {
			query, err := json.Marshal(map[string]string{"query": price.query})
			require.NoError(t, err)
			request := post(t, c.jobs, sandbox.Token, string(query))
			request.Header.Set("JobGraph-Cost", "1")
			assert.Equal(t, strconv.Itoa(price.own), gqltest.Do(t, request).Header.Get("JobGraph-Cost"), price.query)
			var answer struct {
				Extensions struct{ Cost struct{ Estimated int } }
			}
			body := gqltest.Do(t, post(t, url, sandbox.Token, string(query))).Body
			require.NoError(t, json.Unmarshal([]byte(body), &answer), body)
			assert.Equal(t, price.own+price.more, answer.Extensions.Cost.Estimated, "Hive adds the type's own weight, 1, to that of its field")
		}
	})
	t.Run("each federation version composes", func(t *testing.T) {
		said := run(t, "node", "federation/versions.js", c.jobs)
		assert.Contains(t, said, "v2.0 composes")
		assert.Contains(t, said, "v2.11 composes")
	})
	t.Run("Apollo's gateway", func(t *testing.T) {
		url := start(t, `^ready (.*)$`, "node", "federation/apollo-gateway.js", c.supergraph, "--port", "0")
		for _, failed := range c.askProjects(t, url, apolloCanary).Errors {
			require.Len(t, failed.Path, 4, "%v", failed)
			assert.Equal(t, refusedJob, jobAt(failed.Path[1], failed.Path[3]), "%v", failed.Path)
			assert.Equal(t, "ACCOUNT_UNPRIVILEGED", failed.Extensions.Code)
			assert.Equal(t, "Not for this account.", failed.Message)
		}
	})
	t.Run("Hive's gateway", func(t *testing.T) {
		url := start(t, `Listening on (http://[0-9.:]+)`, "node_modules/.bin/hive-gateway", "supergraph", c.supergraph,
			"--config-path", "federation/gateway.config.js", "--host", "127.0.0.1", "--port", freeport.Get(t))
		// Hive leaves the job's index out of the path, and it also reports that a
		// missing job has no status, which Apollo's gateway keeps to itself.
		for _, failed := range c.askProjects(t, url+"/graphql", hiveCanary).Errors {
			if failed.Extensions.Code == "INTERNAL_SERVER_ERROR" {
				assert.Equal(t, missingJob, jobAt(failed.Path[1], failed.Path[3]), "%v", failed.Path)
				continue
			}
			assert.Contains(t, jobsOf(failed.Path[1]), refusedJob, "%v", failed.Path)
			assert.Equal(t, "ACCOUNT_UNPRIVILEGED", failed.Extensions.Code)
			assert.Equal(t, "Not for this account.", failed.Message)
		}
		c.followJob(t, url+"/graphql")
	})
}

// Through Hive's gateway a subscription has the caller's token and sees its job change, by each
// protocol; when the gateway is gone, nothing is left of it.
func TestFederation_SubscriptionsThroughHive(t *testing.T) {
	t.Parallel()
	needsNode(t)
	for _, protocol := range []string{"callback", "websocket"} {
		t.Run(protocol, func(t *testing.T) {
			h := startHive(t, "federation/gateway-"+protocol+".config.js", program.Start)
			c := &composed{upstream: h.upstream}
			c.followJob(t, h.url+"/graphql")
			h.awaitLive(t, "00", "the page is closed")
			page := h.open(t)
			page.next()
			assert.Equal(t, "11", h.live(t))
			h.stop()
			h.awaitLive(t, "00", "the gateway is gone")
		})
	}
}

// Apollo Client 4 follows a job without a gateway, by multipart.
func TestFederation_ApolloClientByMultipart(t *testing.T) {
	t.Parallel()
	needsNode(t)
	c := newCounted(t)
	p := program.Start(t, "--upstream-url", c.URL, "--poll-interval", "100ms", "--poll-max", "100ms")
	assert.Equal(t, "ITEM_NOT_FOUND\ncomplete\n", run(t, "node", "federation/multipart.js", p.URL+"/graphql", hiveCanary, missingJob))
	first := start(t, `^(AUTHORIZING)$`, "node", "federation/multipart.js", p.URL+"/graphql", hiveCanary, movingJob)
	assert.Equal(t, "AUTHORIZING", first)
	c.passed.Add(int64(5 * time.Second))
	next := start(t, `^(PENDING)$`, "node", "federation/multipart.js", p.URL+"/graphql", hiveCanary, movingJob)
	assert.Equal(t, "PENDING", next)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	assert.Len(t, c.tokens, 1)
}

type projectsAnswer struct {
	Data struct {
		Projects []struct {
			Jobs []*struct{ ID, Name, Status string }
		}
	}
	Errors []struct {
		Message    string
		Path       []any
		Extensions struct{ Code string }
	}
}

// askProjects asks for 200 references to 25 jobs: each is fetched once, all that
// can be served are, and the two that cannot be had are null.
func (c *composed) askProjects(t *testing.T, gateway, token string) projectsAnswer {
	t.Helper()
	c.upstream.reset()
	answer := ask(t, gateway, token, `{"query": "{ projects { title jobs { id name status } } }"}`)
	require.NotEmpty(t, answer.Errors)
	ids := referencedJobs()
	require.Len(t, answer.Data.Projects, 20)
	for n, project := range answer.Data.Projects {
		require.Len(t, project.Jobs, 10)
		for k, job := range project.Jobs {
			switch id := jobAt(float64(n), float64(k)); {
			case id == missingJob || id == refusedJob:
				assert.Nil(t, job, "projects.%d.jobs.%d", n, k)
			case assert.NotNil(t, job, "projects.%d.jobs.%d", n, k):
				assert.Equal(t, id, job.ID)
				assert.NotEmpty(t, job.Status)
				if strings.HasPrefix(id, copyPrefix) {
					assert.Equal(t, nameOf(id), job.Name)
				}
			}
		}
	}
	c.assertCalls(t, ids, token)
	return answer
}

// jobAt is the id of a project's job; the numbers are as they stand in an error's path.
func jobAt(project, job any) string {
	return jobsOf(project)[int(job.(float64))]
}

func jobsOf(project any) []string {
	ids, own := referencedJobs(), []string{}
	for k := range 10 {
		own = append(own, ids[(10*int(project.(float64))+k)%len(ids)])
	}
	return own
}

const (
	movingJob   = "30000000000000000000000000000001"
	followQuery = `{"query": "subscription { jobUpdated(ids: [\"` + movingJob + `\"]) { ... on Job { status } } }"}`
)

// followJob subscribes through the gateway, and sees a job's state and its next one.
func (c *composed) followJob(t *testing.T, gateway string) {
	t.Helper()
	c.upstream.reset()
	request := post(t, gateway, hiveCanary, followQuery)
	request.Header.Set("Accept", "text/event-stream")
	response := gqltest.Open(t, request)
	defer response.Body.Close()
	events := bufio.NewScanner(response.Body)
	for _, want := range []string{"AUTHORIZING", "PENDING"} {
		for events.Scan() && !strings.HasPrefix(events.Text(), "data: {") {
		}
		assert.Equal(t, `data: {"data":{"jobUpdated":{"status":"`+want+`"}}}`, events.Text())
		c.upstream.passed.Add(int64(5 * time.Second))
	}
	c.upstream.mutex.Lock()
	defer c.upstream.mutex.Unlock()
	assert.Len(t, c.upstream.tokens, 1)
	assert.Contains(t, c.upstream.tokens, hiveCanary)
}

// assertCalls holds that each job was asked for once, with the caller's token.
func (c *composed) assertCalls(t *testing.T, ids []string, token string) {
	t.Helper()
	c.upstream.mutex.Lock()
	defer c.upstream.mutex.Unlock()
	want := map[string]int{}
	for _, id := range ids {
		want[id] = 1
	}
	assert.Len(t, want, 25)
	assert.Equal(t, want, c.upstream.calls, "calls for each job")
	assert.Equal(t, map[string]int{token: 25}, c.upstream.tokens, "tokens")
}

func ask(t *testing.T, address, token, request string) projectsAnswer {
	t.Helper()
	got := gqltest.Do(t, post(t, address, token, request))
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	var answer projectsAnswer
	require.NoError(t, json.Unmarshal([]byte(got.Body), &answer))
	return answer
}

// post is a query as a gateway's caller with a token sends it.
func post(t *testing.T, address, token, request string) *http.Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), nodeTimeout)
	t.Cleanup(cancel)
	return gqltest.Request(t, http.MethodPost, address, request, "Content-Type", "application/json", "Authorization", "Bearer "+token).WithContext(ctx)
}
