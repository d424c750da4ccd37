package admission_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

// graphQL asks for the media type whose status tells whether an operation was run.
const graphQL = "application/graphql-response+json"

// An attack is one hostile request and how it is answered.
type attack struct {
	name    string
	request func(base string) *http.Request
	status  int
	code    string
}

// query is a POST of a query text and variables.
func query(text string, variables ...string) func(string) *http.Request {
	body := fmt.Sprintf(`{"query": %q, "variables": %s}`, text, append(variables, "null")[0])
	return post(body, "Content-Type", "application/json")
}

// post is a POST of a body with headers, given as names and values.
func post(body string, headers ...string) func(string) *http.Request {
	return send(http.MethodPost, "/graphql", body, headers...)
}

func send(method, path, body string, headers ...string) func(string) *http.Request {
	return func(base string) *http.Request {
		r, err := http.NewRequest(method, base+path, strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		r.Header.Set("Accept", graphQL)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return r
	}
}

func get(text string) func(string) *http.Request {
	return send(http.MethodGet, "/graphql?query="+url.QueryEscape(text), "")
}

// each writes n pieces, %[1]d in them being their number.
func each(n int, piece string) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, piece, i)
	}
	return all.String()
}

// list is a JSON list of n equal entries.
func list(n int, entry string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(entry+",", n), ",") + "]"
}

const (
	everyField  = `... on Job { id name mediaLengthSeconds externalId priority fidelity status difficulty sourceLanguage targetLanguage creationDate authorizationDate startDate dueDate completedDate returnDate returnTargets { kind callbackUrl settings } options { name value } } ... on ApiError { type comment jobId upstreamType retryable }`
	asJSON      = "application/json"
	complexity  = "COMPLEXITY_LIMIT_EXCEEDED"
	badInput    = "BAD_USER_INPUT"
	badRequest  = "BAD_REQUEST"
	parseFailed = "GRAPHQL_PARSE_FAILED"
	invalid     = "GRAPHQL_VALIDATION_FAILED"
)

func attacks() []attack {
	doubled := "{ ...f0 } "
	for i := range 40 {
		doubled += fmt.Sprintf("fragment f%d on Query { a: job(ids: []) { __typename } ...f%d ...f%d } ", i, i+1, i+1)
	}
	doubled += "fragment f40 on Query { __typename }"
	nestedDoubled := `{ __schema { ...f0 } } `
	for i := range 35 {
		nestedDoubled += fmt.Sprintf("fragment f%d on __Schema { types { name } ...f%d ...f%d } ", i, i+1, i+1)
	}
	nestedDoubled += "fragment f35 on __Schema { __typename }"
	return []attack{
		{"tokens", query("{" + each(999, " a%d") + "}"), 400, parseFailed},
		{"tokens in a body of the largest size", query("{" + strings.Repeat(" a", 120_000) + "}"), 400, parseFailed},
		{"directives in a body of the largest size", query("{ __typename" + strings.Repeat(" @aa", 60_000) + "}"), 400, parseFailed},
		{"directives", query("{ __typename" + strings.Repeat(" @aa", 490) + "}"), 400, complexity},
		{"directives on variables", query("query ($a: ID" + strings.Repeat(" @aa", 60) + ") { __typename }"), 400, complexity},
		{"depth", query(strings.Repeat("{a", 300) + strings.Repeat("}", 300)), 400, complexity},
		{"depth of 11", query(strings.Repeat("{a", 11) + strings.Repeat("}", 11)), 400, complexity},
		{"depth by GET", get(strings.Repeat("{a", 300) + strings.Repeat("}", 300)), 400, complexity},
		{"aliases", query("{" + each(31, " a%d: __typename") + "}"), 400, complexity},
		{"aliases below a field", query("{ job(ids: []) {" + each(31, " a%d: __typename") + "} }"), 400, complexity},
		{"aliases in fragments", query("{ ...f } fragment f on Query {" + each(31, " a%d: __typename") + "}"), 400, complexity},
		{"repeated fields", query("{" + strings.Repeat(" __typename", 990) + "}"), 400, complexity},
		{"root fields", query("{ ...f } fragment f on Query { __typename" + each(20, " a%d: __typename") + "}"), 400, complexity},
		{"doubled fragments", query(doubled), 400, complexity},
		{"doubled fragments of a kilobyte", query(doubledFragments(24)), 400, invalid},
		{"doubled fragments below a field", query(nestedDoubled), 400, complexity},
		{"fragments in a circle", query("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }"), 400, invalid},
		{"circular introspection", query("{ __schema { types { fields { type { fields { type { fields { type { fields { type { name } } } } } } } } } } }"), 400, invalid},
		{"introspection by aliases", query("{" + each(20, " a%d: __schema { types { name fields { name args { name type { name } } } } }") + "}"), 400, complexity},
		{"introspection of all types by aliases", query("{ __schema {" + each(29, " a%d: types { name description fields { name description } }") + "} }"), 400, complexity},
		{"introspection twice", query("{ __schema { ...S } b: __schema { ...S } } " + strings.NewReplacer("query IntrospectionQuery { __schema {", "fragment S on __Schema {", "} } } }\nfragment FullType", "} } } fragment FullType").Replace(standardIntrospection)), 400, complexity},
		{"the subgraph's schema by aliases", query("{" + each(20, " a%d: _service { sdl }") + "}"), 400, complexity},
		{"deep introspection", query("{ __schema { types" + strings.Repeat("{ ofType", 30) + "{ name }" + strings.Repeat("}", 30) + "} }"), 400, complexity},
		{"ids in the text", query(`{ job(ids: [` + strings.Repeat(`"a" `, 101) + `]) { __typename } }`), 400, badInput},
		{"ids in a variable", query("query ($ids: [ID!]!) { job(ids: $ids) { __typename } }", `{"ids": `+list(60_000, "1")+`}`), 400, badInput},
		{"ids in a variable's default", query(`query ($ids: [ID!]! = [` + strings.Repeat(`"a" `, 101) + `]) { job(ids: $ids) { __typename } }`), 400, badInput},
		{"representations", query("query ($r: [_Any!]!) { _entities(representations: $r) { __typename } }", `{"r": `+list(60_000, "{}")+`}`), 400, badInput},
		{"upstream calls", query("query ($ids: [ID!]!) {"+each(11, " a%d: job(ids: $ids) { __typename }")+"}", `{"ids": `+list(100, `"a"`)+`}`), 400, complexity},
		{"fields of the answer", query("query ($ids: [ID!]!) {"+each(10, " a%d: job(ids: $ids) { ...f }")+"} fragment f on JobResult { ...g x: __typename "+everyField+"} fragment g on JobResult {"+each(9, " b%d: __typename")+"}", `{"ids": `+list(100, `"a"`)+`}`), 400, complexity},
		{"a long alias", query("query ($ids: [ID!]!) { job(ids: $ids) { "+strings.Repeat("x", 100_000)+": __typename } }", `{"ids": `+list(100, `"a"`)+`}`), 400, complexity},
		{"long unknown names", query("{ job(ids: []) { ... on Job {" + each(100, " a%d"+strings.Repeat("x", 2000)) + "} } }"), 400, complexity},
		{"a long unknown directive", query("{ __typename @" + strings.Repeat("x", 100_000) + " }"), 400, complexity},
		{"a long unknown type", query("query ($a: " + strings.Repeat("x", 100_000) + ") { __typename ... on " + strings.Repeat("x", 100_000) + " { a } }"), 400, complexity},
		{"long aliases, many times", query("query ($ids: [ID!]!) {"+each(10, " a%[1]d: job(ids: $ids) { ...f }")+"} fragment f on Job {"+each(19, " b%d"+strings.Repeat("x", 120)+": id")+"}", `{"ids": `+list(100, `"a"`)+`}`), 400, complexity},
		{"long ids, many times", query("query ($ids: [ID!]!) {"+each(10, " a%[1]d: job(ids: $ids) { ...f }")+"} fragment f on ApiError {"+each(20, " b%d: jobId")+"}", `{"ids": `+list(100, `"`+strings.Repeat("z", 2400)+`"`)+`}`), 400, complexity},
		{"unknown fields", query("{ job(ids: []) { ... on Job {" + each(300, " statu%d") + "} } }"), 400, invalid},
		{"unknown directives", query("{ __typename" + each(50, " @skipp%d") + "}"), 400, invalid},
		{"a list that nests", query("{ job(ids: " + strings.Repeat("[", 480) + strings.Repeat("]", 480) + ") { __typename } }"), 400, invalid},
		{"unused variables", query("query (" + each(200, "$a%d: ID ") + ") { __typename }"), 400, invalid},
		{"unused fragments", query("{ __typename }" + each(120, " fragment a%d on Query { __typename }")), 400, invalid},
		{"fragments that all spread each other", query(meshedFragments()), 400, invalid},
		{"fields that conflict", query("{" + each(14, " job(ids: [%[1]d]) { ... on Job { id: name } ... on Job { id } }") + "}"), 400, invalid},
		{"a comment of the largest size", query("#" + strings.Repeat("x", 250_000) + "\n{ nothing }"), 400, invalid},
		{"a string of the largest size", query(`{ job(ids: {a: "` + strings.Repeat("x", 250_000) + `"}) { __typename } }`), 400, invalid},
		{"a body that is too large", query("#" + strings.Repeat("x", 300_000) + "\n{ __typename }"), 413, badRequest},
		{"JSON that nests", post(`{"query": "{ __typename }", "variables": {"a": `+strings.Repeat("[", 120_000), "Content-Type", asJSON), 400, badRequest},
		{"JSON of many names", post(`{"query": "{ __typename }",`+each(15_000, `"n%d": 1,`)+`"x": }`, "Content-Type", asJSON), 400, badRequest},
		{"a name twice", post(`{"query": "{ __typename }", "query": "{ __typename }"}`, "Content-Type", asJSON), 400, badRequest},
		{"array batching", post(list(1000, `{"query": "{ __typename }"}`), "Content-Type", asJSON), 400, badRequest},
		{"not UTF-8", post("{\"query\": \"{ __typename }\", \"operationName\": \"\xff\"}", "Content-Type", asJSON), 400, badRequest},
		{"another charset", post(`{"query": "{ __typename }"}`, "Content-Type", "application/json; charset=utf-16"), 415, badRequest},
		{"a compressed body", post("\x1f\x8b", "Content-Type", asJSON, "Content-Encoding", "gzip"), 415, badRequest},
		{"a form", post("query=%7B__typename%7D", "Content-Type", "application/x-www-form-urlencoded"), 415, badRequest},
		{"a form with a file", post("", "Content-Type", "multipart/form-data; boundary=x"), 415, badRequest},
		{"plain text", post(`{"query": "{ __typename }"}`, "Content-Type", "text/plain"), 415, badRequest},
		{"no content type", post(`{"query": "{ __typename }"}`), 415, badRequest},
		{"another Accept", post(`{"query": "{ __typename }"}`, "Content-Type", asJSON, "Accept", "text/html"), 406, badRequest},
		{"another method", send(http.MethodPut, "/graphql", "{}"), 405, badRequest},
		{"a mutation by GET", get("mutation { __typename }"), 405, badRequest},
		{"a subscription by GET", get("subscription { __typename }"), 405, badRequest},
		{"a query string that is not encoded", send(http.MethodGet, "/graphql?query=%7B;", ""), 400, badRequest},
		{"@defer", query("{ ... @defer { __typename } }"), 400, invalid},
		{"an unknown persisted query", post(`{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "aa"}}}`, "Content-Type", asJSON), 400, "PERSISTED_QUERY_NOT_FOUND"},
		{"a persisted query of another hash", post(`{"query": "{ __typename }", "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "aa"}}}`, "Content-Type", asJSON), 400, badInput},
		{"a variable of another type", query("query ($ids: [ID!]!) { job(ids: $ids) { __typename } }", `{"ids": [{"a": 1}]}`), 400, invalid},
	}
}

// doubledFragments is the query that takes exponential time where fragments are
// walked at each spread.
func doubledFragments(n int) string {
	text := "{ job(ids: []) { ...f0 } } "
	for i := range n {
		text += fmt.Sprintf("fragment f%d on Job { ...f%d ...f%d } ", i, i+1, i+1)
	}
	return text + fmt.Sprintf("fragment f%d on Job { id nothing }", n)
}

// meshedFragments spread each later one.
func meshedFragments() string {
	text := "{ ...f0 }"
	for i := range 20 {
		text += fmt.Sprintf(" fragment f%d on Query { nothing%d", i, i)
		for j := i + 1; j < 20; j++ {
			text += fmt.Sprintf(" ...f%d", j)
		}
		text += " }"
	}
	return text
}

// recordingUpstream fails the test's claim that nothing was asked.
func recordingUpstream(t *testing.T) (address string, calls func() int) {
	t.Helper()
	asked := make(chan struct{}, 10_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"JobId": "aa", "JobStatus": "Complete"}`))
	}))
	t.Cleanup(server.Close)
	return server.URL, func() int { return len(asked) }
}

// repeats is how often each attack is made, to measure what one costs.
const repeats = 5

func TestAttack_AttacksAreRefusedCheaply(t *testing.T) {
	upstream, calls := recordingUpstream(t)
	p := program.Spawn(t, "--upstream-url="+upstream, "--upstream-token=aa")
	for _, attack := range attacks() {
		t.Run(attack.name, func(t *testing.T) {
			before := usage(t, p)
			var answer gqltest.Answer
			for range repeats {
				answer = gqltest.Do(t, attack.request(p.URL))
			}
			cost := usage(t, p).since(before)
			t.Logf("%3d ms CPU, %4.1f MiB, %5d bytes in, %5d bytes out: %s", cost.cpu.Milliseconds()/repeats,
				float64(cost.peak)/(1<<20), attack.request(p.URL).ContentLength, len(answer.Body), answer.Message())

			assert.Equal(t, attack.status, answer.Status, "%s", answer.Body)
			assert.Equal(t, attack.code, answer.Code(), "%s", answer.Body)
			assert.NotContains(t, answer.Body, `"data"`, "a request error has no data")
			assert.LessOrEqual(t, len(answer.Body), 64<<10)
			assert.LessOrEqual(t, len(answer.Errors()), 10)
			assert.Zero(t, calls(), "calls of the job API")
			// Ten times the aim: this is no benchmark, it tells exponential from linear.
			assert.Less(t, cost.cpu.Milliseconds()/repeats, int64(1000))
		})
	}
	answer := gqltest.Do(t, query(`{ job(ids: ["aa"]) { __typename } }`)(p.URL))
	require.Equal(t, 200, answer.Status, "%s", answer.Body)
	assert.JSONEq(t, `{"data": {"job": [{"__typename": "Job"}]}}`, answer.Body)
	assert.Equal(t, 1, calls(), "the recorder records")
}

func TestAttack_WhatTheLimitsLetThrough(t *testing.T) {
	upstream, _ := recordingUpstream(t)
	p := program.Spawn(t, "--upstream-url="+upstream, "--upstream-token=aa")
	cases := map[string]func(string) *http.Request{
		"depth of 10 and fewer":          query(`{ job(ids: ["aa"]) { ... on Job { returnTargets { kind } } } }`),
		"30 aliases":                     query(`{ job(ids: ["aa"]) { ` + each(30, " a%d: __typename") + `} }`),
		"20 root fields":                 query(`{` + each(20, " a%d: __typename") + `}`),
		"100 ids":                        query("query ($ids: [ID!]!) { job(ids: $ids) {"+everyField+"} }", `{"ids": `+list(100, `"aa"`)+`}`),
		"1000 representations":           query("query ($r: [_Any!]!) { _entities(representations: $r) { ... on Job { id } } }", `{"r": `+list(1000, `{"__typename": "Job", "id": "aa"}`)+`}`),
		"1000 upstream calls":            query("query ($ids: [ID!]!) {"+each(10, " a%d: job(ids: $ids) { __typename }")+"}", `{"ids": `+list(100, `"aa"`)+`}`),
		"the standard introspection":     query(standardIntrospection),
		"a fragment spread in two types": query(`{ job(ids: ["aa"]) { ...f ...f } } fragment f on Job { id }`),
	}
	for name, request := range cases {
		t.Run(name, func(t *testing.T) {
			answer := gqltest.Do(t, request(p.URL))
			assert.Equal(t, 200, answer.Status, "%.300s", answer.Body)
			assert.Empty(t, answer.Errors())
		})
	}
}

// Each limit is a flag: the smallest query that breaks a small limit is refused.
func TestAttack_EachLimitIsAFlag(t *testing.T) {
	p := program.Start(t, "--max-tokens=40", "--max-depth=2", "--max-aliases=1", "--max-root-fields=2", "--max-directives=1",
		"--max-ids=2", "--max-representations=2", "--max-upstream-calls=3", "--max-response-fields=12", "--max-body-bytes=500")
	cases := map[string]struct {
		request func(string) *http.Request
		message string
	}{
		"tokens":          {query("{" + each(39, " a%d") + "}"), "40 tokens"},
		"depth":           {query("{ a { b { c } } }"), "3 deep, 2 is allowed"},
		"aliases":         {query("{ a: __typename b: __typename }"), "2 aliases and repeated fields, 1 are allowed"},
		"root fields":     {query("{ __typename a b }"), "3 fields at its top, 2 are allowed"},
		"directives":      {query("{ __typename @skip(if: false) @include(if: true) }"), "2 directives, 1 are allowed"},
		"ids":             {query("{ job(ids: [1, 2, 3]) { __typename } }"), "3 ids were asked in one field, 2 are allowed"},
		"representations": {query("query ($r: [_Any!]!) { _entities(representations: $r) { __typename } }", `{"r": [{}, {}, {}]}`), "3 representations were sent in one field, 2 are allowed"},
		"upstream calls":  {query("{ job(ids: [1, 2]) { __typename } a: job(ids: [1, 2]) { __typename } }"), "4 jobs, 3 are allowed"},
		"response fields": {query("{ job(ids: [1, 2]) { ... on Job { id name priority fidelity status difficulty } } }"), "13 fields, 12 are allowed"},
		"body":            {query("#" + strings.Repeat("x", 500) + "\n{ __typename }"), "larger than this server takes"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			answer := gqltest.Do(t, c.request(p.URL))
			assert.Contains(t, answer.Message(), c.message)
			assert.NotEqual(t, 200, answer.Status)
		})
	}
}

// No error of the whole table quotes the request.
func TestAttack_ErrorsQuoteNothing(t *testing.T) {
	const canary = "canary7ca5dc5c7cce"
	p := program.Start(t)
	for _, body := range []string{
		canary,
		`{"query": "` + canary + `"}`,
		`{"query": "{ ` + canary + ` }"}`,
		`{"query": "{ job(` + canary + `: 1) { ` + canary + ` } }"}`,
		`{"query": "{ job(ids: {a: \"` + canary + `\"}) { __typename } }"}`,
		`{"query": "query ` + canary + `($` + canary + `: ` + canary + `) { __typename @` + canary + ` ...` + canary + ` }"}`,
		`{"query": "fragment ` + canary + ` on ` + canary + ` { a } { __typename(` + canary + `: ` + canary + `) }"}`,
		`{"query": "{ __typename \u0007` + canary + ` }"}`,
		`{"query": "{ __typename }", "operationName": "` + canary + `"}`,
		`{"query": "query ($i: [ID!]!) { job(ids: $i) { __typename } }", "variables": {"i": {"` + canary + `": 1}}}`,
		`{"query": "query ($i: [ID!]!) { job(ids: $i) { __typename } }", "variables": "` + canary + `"}`,
		`{"query": "query ($` + canary + `: [ID!]!) { job(ids: $` + canary + `) { __typename } }"}`,
		`{"extensions": {"persistedQuery": "` + canary + `"}}`,
		`{"documentId": "` + canary + `"}`,
		`{"query": "query ($r: [_Any!]!) { _entities(representations: $r) { __typename } }", "variables": {"r": ["` + canary + `"]}}`,
		`{"query": "query ($r: [_Any!]!) { _entities(representations: $r) { __typename } }", "variables": {"r": [{"` + canary + `": "` + canary + `"}]}}`,
	} {
		answer := gqltest.Do(t, post(body, "Content-Type", asJSON)(p.URL))
		assert.NotEmpty(t, answer.Errors(), "%s: %s", body, answer.Body)
		assert.NotContains(t, answer.Body, "canary", body)
	}
}
