package graph_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/graph/admission"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/upstream"
	"jobgraph/upstream/sandbox"
)

const missingID = "00000000000000000000000000000000"

// stack is the facade over a recorded upstream: GraphQL goes in, REST comes out.
type stack struct {
	*httptest.Server
	log bytes.Buffer

	mu    sync.Mutex
	asked []string // job ids, in the order they came
	token string   // of the last call
}

// newStack serves the facade over the handler; nil is the sandbox.
func newStack(t *testing.T, handler http.Handler, opts graph.Options) *stack {
	t.Helper()
	if handler == nil {
		handler = sandbox.New(sandbox.Options{})
	}
	s := &stack{}
	rest := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.Query().Get("job_id"))
		s.token = r.URL.Query().Get("api_token")
		s.mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(rest.Close)
	client, err := upstream.New(rest.URL, upstream.Options{})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	opts.Logger = slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.Server = httptest.NewServer(graph.NewHandler(client, opts))
	t.Cleanup(s.Close)
	return s
}

// withSandboxToken are the options of callers that send no token.
var withSandboxToken = graph.Options{DefaultToken: sandbox.Token}

// data is the data of a query that has no errors.
func (s *stack) data(t *testing.T, query string, variables map[string]any, headers ...string) string {
	t.Helper()
	got := gqltest.Query(t, s.URL, query, variables, headers...)
	require.Empty(t, got.Errors(), got.Body)
	return got.Data()
}

func ids(list ...string) map[string]any { return map[string]any{"ids": append([]string{}, list...)} }

const wholeJob = `query ($ids: [ID!]!) { job(ids: $ids) { __typename
	... on Job { id name mediaLengthSeconds externalId priority fidelity status difficulty sourceLanguage targetLanguage
		creationDate authorizationDate startDate dueDate completedDate returnDate
		returnTargets { kind callbackUrl settings } options { name value } }
	... on ApiError { type comment jobId upstreamType retryable } } }`

func TestHandler_TheDocumentedJobBesideAMissingOne(t *testing.T) {
	s := newStack(t, nil, withSandboxToken)
	assert.JSONEq(t, `{"job": [{
		"__typename": "Job", "id": "d4fb871e07514304b23131b45f8caa1f", "name": "example_job",
		"mediaLengthSeconds": 607.81, "externalId": "sample_id", "priority": "STANDARD", "fidelity": "MECHANICAL",
		"status": "COMPLETE", "difficulty": null, "sourceLanguage": "en", "targetLanguage": "en",
		"creationDate": "2014-08-27T14:00:06.472706Z", "authorizationDate": null,
		"startDate": "2014-08-27T14:00:06.472706Z", "dueDate": "2014-08-29T14:00:06.472706Z",
		"completedDate": "2014-08-27T14:10:41.923125Z", "returnDate": "2014-08-27T14:10:42.885185Z",
		"returnTargets": [
			{"kind": "url", "callbackUrl": "https://sample-url.com/return/", "settings": {"callback_url": "https://sample-url.com/return/"}},
			{"kind": "url", "callbackUrl": "https://sample-url-2.com/return/", "settings": {"callback_url": "https://sample-url-2.com/return/"}}],
		"options": []
	}, {
		"__typename": "ApiError", "type": "ITEM_NOT_FOUND", "jobId": "00000000000000000000000000000000",
		"comment": "No job has the id 00000000000000000000000000000000. The sandbox's README lists the jobs that there are.",
		"upstreamType": "ITEM_NOT_FOUND", "retryable": false
	}]}`, s.data(t, wholeJob, ids(sandbox.DocumentedJobID, missingID)))
}

func TestHandler_NullsAndEmptyLists(t *testing.T) {
	s := newStack(t, nil, withSandboxToken)
	assert.JSONEq(t, `{"job": [{
		"__typename": "Job", "id": "20000000000000000000000000000001", "name": null, "mediaLengthSeconds": null,
		"externalId": null, "priority": null, "fidelity": null, "status": "PENDING", "difficulty": null,
		"sourceLanguage": null, "targetLanguage": null, "creationDate": null, "authorizationDate": null,
		"startDate": null, "dueDate": null, "completedDate": null, "returnDate": null,
		"returnTargets": [], "options": []
	}]}`, s.data(t, wholeJob, ids("20000000000000000000000000000001")))
}

func TestHandler_UnknownValuesAndOtherTargets(t *testing.T) {
	s := newStack(t, nil, withSandboxToken)
	got := s.data(t, wholeJob, ids("20000000000000000000000000000002"))
	assert.Equal(t, 4, strings.Count(got, `"UNRECOGNIZED"`), got)
	for _, kind := range []string{"ftp", "youtube", "folder", "url"} {
		assert.Contains(t, got, `"kind":"`+kind+`"`)
	}
}

func TestHandler_OrderAndDuplicatesArePreservedAndEachIDIsAskedOnce(t *testing.T) {
	s := newStack(t, nil, withSandboxToken)
	got := s.data(t, `query ($ids: [ID!]!) {
		a: job(ids: $ids) { ...s } b: job(ids: $ids) { ...s }
		c: job(ids: ["10000000000000000000000000000003", "zz"]) { ...s }
		_entities(representations: [{__typename: "Job", id: "10000000000000000000000000000002"}]) { ... on Job { status } }
	} fragment s on JobResult { ... on Job { status } ... on ApiError { type } }`,
		ids("10000000000000000000000000000002", missingID, "10000000000000000000000000000002", "10000000000000000000000000000001"))
	list := `[{"status": "PENDING"}, {"type": "ITEM_NOT_FOUND"}, {"status": "PENDING"}, {"status": "AUTHORIZING"}]`
	assert.JSONEq(t, `{"a": `+list+`, "b": `+list+`, "c": [{"status": "IN_PROCESS"}, {"type": "INVALID_QUERY"}],
		"_entities": [{"status": "PENDING"}]}`, got)
	assert.ElementsMatch(t, []string{"10000000000000000000000000000001", "10000000000000000000000000000002",
		"10000000000000000000000000000003", missingID}, s.asked)
}

func TestHandler_TheResultBelongsToTheIDThatWasAsked(t *testing.T) {
	s := newStack(t, nil, withSandboxToken)
	got := s.data(t, `query ($ids: [ID!]!) { job(ids: $ids) { ... on Job { id } } }`, ids(sandbox.ExampleRequestJobID))
	assert.JSONEq(t, `{"job": [{"id": "d4fb871e07514304b23131b45f8caa1f"}]}`, got)
	assert.Equal(t, []string{sandbox.ExampleRequestJobID}, s.asked)
}

func TestHandler_NoIDsNoCalls(t *testing.T) {
	s := newStack(t, nil, withSandboxToken)
	assert.JSONEq(t, `{"job": []}`, s.data(t, wholeJob, ids()))
	assert.Empty(t, s.asked)
}

func TestHandler_TooManyIDs(t *testing.T) {
	limits := admission.DefaultLimits()
	limits.IDs = 2
	s := newStack(t, nil, graph.Options{DefaultToken: sandbox.Token, Limits: limits})
	got := gqltest.Query(t, s.URL, wholeJob, ids("aa", "bb", "cc"))
	assert.Equal(t, "BAD_USER_INPUT", got.Code())
	assert.Contains(t, got.Message(), "2")
	assert.Empty(t, s.asked)
	s.data(t, wholeJob, ids("aa", "bb"))
	assert.Len(t, s.asked, 2)
}

func TestHandler_TheCallersTokenIsForwarded(t *testing.T) {
	one := `query ($ids: [ID!]!) { job(ids: $ids) { ... on ApiError { type upstreamType } ... on Job { name } } }`
	const own = "abcdef0123456789abcdef0123456789"
	s := newStack(t, nil, withSandboxToken)
	s.data(t, one, ids("aa"), "Authorization", "Bearer "+own)
	assert.Equal(t, own, s.token)
	s.data(t, one, ids("aa"), "Authorization", "bearer  "+own)
	assert.Equal(t, own, s.token)
	s.data(t, one, ids("aa"))
	assert.Equal(t, sandbox.Token, s.token)

	calls := len(s.asked)
	bad := `{"job": [{"type": "BAD_API_TOKEN", "upstreamType": null}]}`
	for _, header := range []string{"Bearer", "Bearer ", "Bearer xyz", "Basic " + own, own, "Bearer a b"} {
		assert.JSONEq(t, bad, s.data(t, one, ids("aa"), "Authorization", header), header)
	}
	assert.JSONEq(t, bad, newStack(t, nil, graph.Options{}).data(t, one, ids("aa")), "no token at all")
	assert.Len(t, s.asked, calls, "an Authorization header that is no token is never replaced by the server's own")
}

func TestHandler_EachReferenceIsAnsweredByItself(t *testing.T) {
	fails := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("job_id") == "bad0" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		sandbox.New(sandbox.Options{}).ServeHTTP(w, r)
	})
	s := newStack(t, fails, withSandboxToken)
	job := func(id any) map[string]any { return map[string]any{"__typename": "Job", "id": id} }
	got := gqltest.Query(t, s.URL, `query ($r: [_Any!]!) { _entities(representations: $r) { __typename ... on Job { status } } }`,
		map[string]any{"r": []any{
			job("10000000000000000000000000000002"), job(missingID), job("bad0"), map[string]any{"__typename": "Job"},
			job(nil), map[string]any{"id": "aa"}, map[string]any{"__typename": "Project", "id": "aa"}, job([]int{1}),
			job("10000000000000000000000000000002"), job("10000000000000000000000000000003"),
		}})
	assert.JSONEq(t, `{"_entities": [{"__typename": "Job", "status": "PENDING"}, null, null, null, null, null, null, null,
		{"__typename": "Job", "status": "PENDING"}, {"__typename": "Job", "status": "IN_PROCESS"}]}`, got.Data())
	failed := map[float64]any{}
	for _, e := range got.Errors() {
		require.Len(t, e.Path, 2, e.Message)
		assert.Equal(t, "_entities", e.Path[0])
		failed[e.Path[1].(float64)] = e.Extensions["code"]
	}
	assert.Equal(t, map[float64]any{2: "ACCOUNT_UNPRIVILEGED", 3: "INVALID_QUERY", 4: "INVALID_QUERY",
		5: "INVALID_QUERY", 6: "INVALID_QUERY", 7: "INVALID_QUERY"}, failed)
	assert.ElementsMatch(t, []string{"10000000000000000000000000000002", "10000000000000000000000000000003", missingID, "bad0"}, s.asked)
}

func TestHandler_ARepresentationThatIsNoObject(t *testing.T) {
	s := newStack(t, nil, withSandboxToken)
	for _, query := range []string{
		`{ _entities(representations: [1]) { __typename } }`,
		`{ ...q } fragment q on Query { _entities(representations: [[1]]) { __typename } }`,
		`{ _entities(representations: ["x"]) { __typename } }`,
	} {
		got := gqltest.Query(t, s.URL, query, nil)
		assert.Equal(t, "BAD_USER_INPUT", got.Code(), query)
		assert.NotContains(t, got.Message(), "interface")
	}
	assert.Empty(t, s.asked)
}

func TestHandler_ServiceSDL(t *testing.T) {
	sdl := newStack(t, nil, withSandboxToken).data(t, `{ _service { sdl } }`, nil)
	for _, part := range []string{"federation/v2", `@key(fields: \"id\")`, "type Job", "How far a job is"} {
		assert.Contains(t, sdl, part)
	}
}

func TestHandler_BrokenOperations(t *testing.T) {
	s := newStack(t, nil, withSandboxToken)
	for query, want := range map[string]string{
		`{`:                                "GRAPHQL_PARSE_FAILED",
		`{ jobs }`:                         "GRAPHQL_VALIDATION_FAILED",
		`{ job(ids: 7.5) { __typename } }`: "GRAPHQL_VALIDATION_FAILED",
		`{` + strings.Repeat(" __typename", 1100) + `}`: "GRAPHQL_PARSE_FAILED",
	} {
		assert.Equal(t, want, gqltest.Query(t, s.URL, query, nil).Code(), query)
	}
}

// federationTypes come from gqlgen's federation plugin.
var federationTypes = []string{"FieldSet"}

// No word of gqlgen's own helpers is in what is served, by any door.
func TestHandler_TheServedSchemaHasNoHelpers(t *testing.T) {
	s := newStack(t, nil, withSandboxToken)
	const ofType = `name ofType { name ofType { name ofType { name } } }`
	seen := s.data(t, `{ __schema { types { name possibleTypes { name } fields { name type { `+ofType+` } args { name type { `+ofType+` } } }
		inputFields { name type { `+ofType+` } } } directives { args { type { `+ofType+` } } } } _service { sdl } }`, nil)
	assert.Contains(t, seen, "ReturnTarget")
	assert.Contains(t, seen, "_Entity")
	for _, helper := range []string{"JobRepresentation", `"Entity"`, "findJob", "type Entity"} {
		assert.NotContains(t, seen, helper)
	}
	for _, helper := range []string{"JobRepresentation", "Entity"} {
		assert.JSONEq(t, `{"__type": null}`, s.data(t, `{ __type(name: "`+helper+`") { name } }`, nil))
	}
	for _, text := range []string{
		`query ($r: JobRepresentation) { __typename }`, `query ($r: JobRepresentatio) { __typename }`, `query ($r: [JobRepresentations!]!) { __typename }`,
		`{ ... on JobRepresentation { id } }`, `{ job(ids: []) { ... on JobRepresentatio { id } } }`, `{ _entities(representations: []) { ... on Entity { findJob } } }`,
		`{ _entities(representations: []) { ... on Entit { id } } }`, `{ findJob }`, `{ job(ids: []) { ... on Job { findJob } } }`,
	} {
		got := gqltest.Query(t, s.URL, text, nil)
		require.NotEmpty(t, got.Errors(), text)
		for _, err := range got.Errors() {
			assert.NotContains(t, err.Message, "Representation", text)
			assert.NotContains(t, err.Message, `"Entity"`, text)
			assert.NotContains(t, err.Message, "findJob", text)
		}
	}
}

func TestHandler_EverySchemaElementIsDescribed(t *testing.T) {
	got := newStack(t, nil, withSandboxToken).data(t, `{ __schema { types { name kind description specifiedByURL
		fields { name description args { name description } } enumValues { name description } } } }`, nil)
	var schema struct {
		Schema struct {
			Types []struct {
				Name, Kind, Description, SpecifiedByURL string
				Fields                                  []struct {
					Name, Description string
					Args              []struct{ Name, Description string }
				}
				EnumValues []struct{ Name, Description string }
			}
		} `json:"__schema"`
	}
	require.NoError(t, json.Unmarshal([]byte(got), &schema))
	seen := 0
	for _, typ := range schema.Schema.Types {
		if strings.Contains(typ.Name, "_") || slices.Contains(federationTypes, typ.Name) {
			continue
		}
		seen++
		assert.NotEmpty(t, typ.Description, typ.Name)
		if typ.Name == "DateTime" || typ.Name == "JSON" {
			assert.NotEmpty(t, typ.SpecifiedByURL, typ.Name)
		}
		for _, field := range typ.Fields {
			if strings.HasPrefix(field.Name, "_") {
				continue
			}
			assert.NotEmpty(t, field.Description, typ.Name+"."+field.Name)
			for _, arg := range field.Args {
				assert.NotEmpty(t, arg.Description, typ.Name+"."+field.Name+"."+arg.Name)
			}
		}
		for _, value := range typ.EnumValues {
			assert.NotEmpty(t, value.Description, typ.Name+"."+value.Name)
		}
	}
	assert.Greater(t, seen, 15)
}
