package graph_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/graph/admission"
	"jobgraph/graph/budget"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/upstream"
	"jobgraph/upstream/listtest"
	"jobgraph/upstream/store"
)

// lists serves the facade, with its store, over a job API that lists.
func lists(t *testing.T, handler http.Handler, settings ...func(*graph.Options)) string {
	t.Helper()
	rest := httptest.NewServer(handler)
	client, err := upstream.New(rest.URL, upstream.Options{})
	require.NoError(t, err)
	jobs := store.New(client, store.Options{ActiveTTL: time.Minute, SettledTTL: time.Minute})
	options := graph.Options{DefaultToken: "aa11", CacheResponses: true}
	for _, set := range settings {
		set(&options)
	}
	server := httptest.NewServer(graph.NewHandler(jobs, options))
	t.Cleanup(func() { server.Close(); jobs.Close(); client.Close(); rest.Close() })
	return server.URL
}

// account has so many jobs, a minute apart, the last of which is the newest.
func account(n int) *listtest.API {
	api := &listtest.API{}
	for n := range n {
		api.Set(listtest.Job{ID: fmt.Sprintf("%04x", n), ExternalID: fmt.Sprint("ours", n/2), Username: "sub",
			Created: time.Now().Add(time.Duration(n-1000) * time.Minute)})
	}
	return api
}

type connection struct {
	Jobs *struct {
		Nodes []struct{ ID string }
		Edges []struct {
			Cursor, Username string
			Node             struct{ ID, ExternalID string }
		}
		PageInfo struct {
			HasNextPage, HasPreviousPage bool
			StartCursor, EndCursor       *string
		}
	}
}

const pageQuery = `query ($first: Int, $after: String, $filter: JobFilter) { jobs(first: $first, after: $after, filter: $filter) {
	nodes { id } edges { cursor username node { id externalId } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`

func pageOf(t *testing.T, url string, variables map[string]any) (c connection) {
	t.Helper()
	got := gqltest.Query(t, url, pageQuery, variables)
	require.Empty(t, got.Errors(), got.Body)
	require.NoError(t, json.Unmarshal([]byte(got.Data()), &c))
	require.NotNil(t, c.Jobs, got.Body)
	return c
}

func TestJobs_PagesAreWalked(t *testing.T) {
	url := lists(t, account(50))
	variables := map[string]any{"first": 20}
	var ids []string
	for _, want := range []int{20, 20, 10} {
		c := pageOf(t, url, variables)
		assert.Len(t, c.Jobs.Edges, want)
		assert.Len(t, c.Jobs.Nodes, want)
		for i, edge := range c.Jobs.Edges {
			assert.Equal(t, c.Jobs.Nodes[i].ID, edge.Node.ID)
			assert.Equal(t, "sub", edge.Username)
			ids = append(ids, edge.Node.ID)
		}
		info := c.Jobs.PageInfo
		assert.Equal(t, want == 20, info.HasNextPage)
		assert.Equal(t, variables["after"] != nil, info.HasPreviousPage)
		assert.Equal(t, c.Jobs.Edges[0].Cursor, *info.StartCursor)
		assert.Equal(t, c.Jobs.Edges[want-1].Cursor, *info.EndCursor)
		variables["after"] = *info.EndCursor
	}
	for i, id := range ids {
		assert.Equal(t, fmt.Sprintf("%04x", 49-i), id)
	}
	assert.Len(t, ids, 50)
}

func TestJobs_AnEmptyAccount(t *testing.T) {
	c := pageOf(t, lists(t, account(0)), nil)
	assert.Empty(t, c.Jobs.Nodes)
	assert.Nil(t, c.Jobs.PageInfo.StartCursor)
	assert.False(t, c.Jobs.PageInfo.HasNextPage)
}

// What a page shows is in the store: the jobs by their ids, and the list itself.
func TestJobs_WhoGivesNoFirstGetsAPage(t *testing.T) {
	url := lists(t, account(9), func(o *graph.Options) {
		o.Limits = admission.DefaultLimits()
		o.Limits.IDs = 5
	})
	for _, variables := range []map[string]any{nil, {"first": nil}} {
		page := pageOf(t, url, variables).Jobs
		assert.Len(t, page.Nodes, 5)
		assert.True(t, page.PageInfo.HasNextPage)
	}
	assert.Contains(t, gqltest.Query(t, url, `{ jobs(first: 20) { nodes { id } } }`, nil).Message(), "first is 20, and must be 1 to 5")
}

func TestJobs_TheSchemasCursorIsOne(t *testing.T) {
	url := lists(t, account(3))
	_, example, found := strings.Cut(graph.SDL(), "for the jobs that follow this one, such as `\\\"")
	require.True(t, found)
	example, _, _ = strings.Cut(example, `\"`)
	assert.NotNil(t, pageOf(t, url, map[string]any{"after": example}).Jobs, example)
}

func TestJobs_WhatAPageShowsCostsNothingAfterwards(t *testing.T) {
	api := account(50)
	url := lists(t, api)
	pageOf(t, url, nil)
	api.Asked()
	got := gqltest.Query(t, url, `{ job(ids: ["0031", "0030", "001e"]) { ... on Job { id status } } }`, nil)
	assert.JSONEq(t, `{"job": [{"id": "0031", "status": "PENDING"}, {"id": "0030", "status": "PENDING"}, {"id": "001e", "status": "PENDING"}]}`, got.Data())
	gqltest.Query(t, url, `{ jobs { nodes { name } } }`, nil) // another operation, of the same list
	lists, infos, _ := api.Asked()
	assert.Empty(t, lists)
	assert.Empty(t, infos)
	// Fresh data is what was asked for.
	fresh := gqltest.Query(t, url, `{ jobs { nodes { name } } }`, nil, "Cache-Control", "no-cache")
	assert.Empty(t, fresh.Errors())
	lists, _, _ = api.Asked()
	assert.NotEmpty(t, lists)
}

func TestJobs_FiltersAreConverted(t *testing.T) {
	api := account(1)
	url := lists(t, api)
	pageOf(t, url, map[string]any{"filter": map[string]any{"status": "IN_PROCESS", "name": "a*", "username": "*",
		"due": map[string]any{"from": "2026-01-02T05:04:05+02:00"}, "turnaroundHours": map[string]any{"to": 24}}})
	asked, _, _ := api.Asked()
	require.NotEmpty(t, asked)
	assert.Equal(t, "In Process", asked[0].Get("JobStatus"))
	assert.Equal(t, "a*", asked[0].Get("JobName"))
	assert.Equal(t, "*", asked[0].Get("Username"))
	assert.Equal(t, "2026-01-02T03:04:05", asked[0].Get("DueDateFrom"))
	assert.Equal(t, "24", asked[0].Get("TurnaroundTimeHoursTo"))
}

// Arguments that make no sense are told before anything is asked.
func TestJobs_BadUserInput(t *testing.T) {
	api := account(1)
	url := lists(t, api)
	for query, message := range map[string]string{
		`{ jobs(first: 0) { nodes { id } } }`:                                                               "first is 0, and must be 1 to 100",
		`{ jobs(first: -1) { nodes { id } } }`:                                                              "must be 1 to 100",
		`{ jobs(first: 101) { nodes { id } } }`:                                                             "first is 101, and must be 1 to 100",
		`{ jobs(after: "x") { nodes { id } } }`:                                                             "Give the endCursor of a page",
		`{ jobs(after: "AQAAAHg") { nodes { id } } }`:                                                       "not a cursor",
		`{ jobs(filter: {status: UNRECOGNIZED}) { nodes { id } } }`:                                         "filter.status must be one of AUTHORIZING",
		`{ jobs(filter: {name: ""}) { nodes { id } } }`:                                                     "filter.name must not be empty",
		`{ jobs(filter: {created: {from: "2026-01-01"}}) { nodes { id } } }`:                                "RFC 3339 with an offset",
		`{ jobs(filter: {created: {from: 7}}) { nodes { id } } }`:                                           "RFC 3339 with an offset",
		`{ jobs(filter: {due: {from: "2026-01-02T00:00:00Z", to: "2026-01-01T00:00:00Z"}}) { nodes {id}} }`: "from that is after its to",
	} {
		got := gqltest.Query(t, url, query, nil)
		require.Len(t, got.Errors(), 1, query)
		assert.Equal(t, "BAD_USER_INPUT", got.Code(), query)
		assert.Contains(t, got.Errors()[0].Message, message, query)
	}
	got := gqltest.Query(t, url, pageQuery, map[string]any{"first": 101})
	assert.Equal(t, "BAD_USER_INPUT", got.Code())
	got = gqltest.Query(t, url, pageQuery, map[string]any{"filter": map[string]any{"created": map[string]any{"to": "soon"}}})
	assert.Equal(t, "BAD_USER_INPUT", got.Code(), got.Body)
	asked, _, _ := api.Asked()
	assert.Empty(t, asked)
}

func TestJobs_AListThatCannotBeHad(t *testing.T) {
	url := lists(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	got := gqltest.Query(t, url, `{ jobs { nodes { id } } }`, nil)
	require.Len(t, got.Errors(), 1)
	assert.JSONEq(t, `{"jobs": null}`, got.Data())
	failed := got.Errors()[0]
	assert.Equal(t, []any{"jobs"}, failed.Path)
	assert.Equal(t, map[string]any{"code": "UPSTREAM_RATE_LIMITED", "retryable": true, "retryAfterSeconds": 7.0}, failed.Extensions)
}

// A page counts as the calls that it may cause.
func TestJobs_PagesCountAsTheirCalls(t *testing.T) {
	url := lists(t, account(1))
	var query strings.Builder
	for n := range 20 {
		fmt.Fprintf(&query, ` a%d: jobs(first: 100) { nodes { id name status creationDate dueDate priority } }`, n)
	}
	got := gqltest.Query(t, url, "{"+query.String()+"}", nil)
	assert.Empty(t, got.Errors(), got.Body)
	query.Reset()
	for n := range 10 {
		fmt.Fprintf(&query, ` j%d: job(ids: $ids) { __typename }`, n)
	}
	got = gqltest.Query(t, url, "query ($ids: [ID!]!) {"+query.String()+" jobs { nodes { id } } }", map[string]any{"ids": slices.Repeat([]string{"aa"}, 100)})
	assert.Equal(t, "COMPLEXITY_LIMIT_EXCEEDED", got.Code())
	assert.Contains(t, got.Errors()[0].Message, "a page counts as 12")
}

const references = `query ($r: [_Any!]!) { _entities(representations: $r) { ... on Job { id externalId } } }`

// A reference by externalId is one call for each distinct one, and the newest job.
func TestEntities_ByExternalID(t *testing.T) {
	api := account(10)
	url := lists(t, api)
	ref := func(key, value string) map[string]any { return map[string]any{"__typename": "Job", key: value} }
	got := gqltest.Query(t, url, references, map[string]any{"r": []any{
		ref("externalId", "ours1"), ref("id", "0009"), ref("externalId", "nobodys"), ref("externalId", "ours1"), ref("externalId", "ours0"),
		map[string]any{"__typename": "Job", "id": "0001", "externalId": "ours4"},
	}})
	require.Empty(t, got.Errors(), got.Body)
	assert.JSONEq(t, `{"_entities": [{"id": "0003", "externalId": "ours1"}, {"id": "0009", "externalId": "ours4"}, null,
		{"id": "0003", "externalId": "ours1"}, {"id": "0001", "externalId": "ours0"}, {"id": "0001", "externalId": "ours0"}]}`, got.Data())
	asked, infos, _ := api.Asked()
	assert.Len(t, asked, 3)
	assert.ElementsMatch(t, []string{"0009", "0001"}, infos)
	// What can be no external id is told at its path.
	got = gqltest.Query(t, url, references, map[string]any{"r": []any{ref("externalId", "a\x01"), ref("externalId", "")}})
	require.Len(t, got.Errors(), 2, got.Body)
	for _, failed := range got.Errors() {
		assert.Equal(t, "INVALID_QUERY", failed.Extensions["code"])
	}
}

// An operation holds no more bytes of jobs than an answer may have, those of pages included.
func TestJobs_BytesAreBounded(t *testing.T) {
	api := account(50)
	api.Pad = 4 << 10
	rest := httptest.NewServer(api)
	client, err := upstream.New(rest.URL, upstream.Options{})
	require.NoError(t, err)
	server := httptest.NewServer(graph.NewHandler(client, graph.Options{DefaultToken: "aa11", Budget: budget.New(1<<20, 100<<10)}))
	t.Cleanup(func() { server.Close(); client.Close(); rest.Close() })
	got := gqltest.Query(t, server.URL, `{ jobs(first: 50) { nodes { id } } }`, nil)
	assert.Equal(t, "COMPLEXITY_LIMIT_EXCEEDED", got.Code(), got.Body)
	assert.Contains(t, got.Errors()[0].Message, "102400 bytes together")
	got = gqltest.Query(t, server.URL, `{ jobs(first: 20) { nodes { id } } }`, nil)
	assert.Empty(t, got.Errors(), got.Body)
	got = gqltest.Query(t, server.URL, `{ jobs(first: 20) { nodes { name } edges { node { name } } } }`, nil)
	assert.Equal(t, "COMPLEXITY_LIMIT_EXCEEDED", got.Code())
}

// A page of jobs that are the same since is served again, and one of a list that changed is not.
func TestJobs_ResponsesAreCachedWithTheirList(t *testing.T) {
	api := account(3)
	url := lists(t, api)
	first := gqltest.Query(t, url, `{ jobs(first: 2) { nodes { id } } }`, nil)
	api.Asked()
	assert.Equal(t, first.Body, gqltest.Query(t, url, `{ jobs(first: 2) { nodes { id } } }`, nil).Body)
	asked, infos, _ := api.Asked()
	assert.Empty(t, asked)
	assert.Empty(t, infos)
	api.Set(listtest.Job{ID: "00ff", Created: time.Now()})
	fresh := gqltest.Query(t, url, `{ jobs(first: 2) { nodes { id } } }`, nil, "Cache-Control", "no-cache")
	assert.JSONEq(t, `{"jobs": {"nodes": [{"id": "00ff"}, {"id": "0002"}]}}`, fresh.Data())
	after := gqltest.Query(t, url, `{ jobs(first: 2) { nodes { id } } }`, nil)
	assert.JSONEq(t, fresh.Data(), after.Data(), "the old one is of a list that was replaced")
}
