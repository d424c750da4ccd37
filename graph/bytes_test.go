package graph_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/graph/budget"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/upstream"
	"jobgraph/upstream/sandbox"
	"jobgraph/upstream/store"
)

// askBytes gives the answer of one operation by each of the ways to ask for it.
func (s *liveServer) askBytes(t *testing.T, query string) map[string]string {
	t.Helper()
	answers := map[string]string{}
	patient := serveHandler(t, s.Config.Handler) // without the deadlines of a live server
	answers["POST"] = wholeAnswer(gqltest.Query(t, patient, query, nil))
	answers["GET"] = wholeAnswer(gqltest.Get(t, patient+"?"+url.Values{"query": {query}}.Encode()))
	stream := s.stream(t, http.MethodPost, "", query)
	answers["SSE"] = strings.Join(stream.next(), "\n")
	stream.response.Body.Close()
	c := s.dialReady(t)
	c.subscribe("a", query)
	answers["WebSocket"] = c.receive()
	c.conn.CloseNow()
	return answers
}

// wholeAnswer is the status and its text, Retry-After where there is one, and the body.
func wholeAnswer(a gqltest.Answer) string {
	return fmt.Sprintf("%d %s %s %s", a.Status, http.StatusText(a.Status), a.Header.Get("Retry-After"), a.Body)
}

// allBytes have room for several answers whose clients have just had the last byte.
const allBytes = 40_000

// withBudget is a server whose answers may have 2,000 bytes each.
func withBudget(t *testing.T, change func(*graph.Options)) (*liveServer, *budget.Budget) {
	bytes := budget.New(allBytes, 2_000)
	s := startLive(t, func(o *graph.Options) {
		o.Budget = bytes
		if change != nil {
			change(o)
		}
	})
	t.Cleanup(func() {
		assert.Eventually(t, func() bool { return bytes.InUse() == 0 }, 10*time.Second, time.Millisecond, "bytes are held for ever")
	})
	return s, bytes
}

func TestBudget_AnAnswerThatIsTooLarge(t *testing.T) {
	t.Parallel()
	s, _ := withBudget(t, nil)
	s.jobs.set("fat", upstream.StatusPending, strings.Repeat("x", 900))
	const tooLarge = `"message":"The answer would have more than 2000 bytes`
	for name, query := range map[string]string{
		"aliases":    `{ jobById(id: "fat") { ... on Job { a: name b: name c: name } } }`,
		"ids":        `{ job(ids: ["fat", "fat", "fat"]) { ... on Job { name } } }`,
		"fields":     `{ a: jobById(id: "fat") { ...f } b: jobById(id: "fat") { ...f } c: jobById(id: "fat") { ...f } } fragment f on Job { name }`,
		"references": `{ _entities(representations: [{__typename: "Job", id: "fat"}, {__typename: "Job", id: "fat"}, {__typename: "Job", id: "fat"}]) { ... on Job { name } } }`,
		"no job":     `{ __schema { types { name description } } }`,
		"an event":   `subscription { jobUpdated(ids: ["fat"]) { ... on Job { a: name b: name c: name } } }`,
	} {
		for way, answer := range s.askBytes(t, query) {
			if name == "an event" && (way == "POST" || way == "GET") {
				continue // which have no subscriptions
			}
			assert.Contains(t, answer, tooLarge, "%s by %s", name, way)
			assert.Contains(t, answer, `"code":"COMPLEXITY_LIMIT_EXCEEDED"`, "%s by %s", name, way)
			assert.Contains(t, answer, `"data":null`, "%s by %s", name, way)
			assert.NotContains(t, answer, "xxx", "%s by %s", name, way)
			if way == "POST" || way == "GET" {
				assert.Contains(t, answer, "200 OK ", "%s by %s", name, way)
			}
		}
	}
	for way, answer := range s.askBytes(t, `{ job(ids: ["fat", "fat"]) { ... on Job { name } } }`) {
		assert.NotContains(t, answer, "errors", way)
		assert.GreaterOrEqual(t, strings.Count(answer, "x"), 1800, way)
	}
}

// An operation holds its jobs whole, however little of them it selects.
func TestBudget_JobsThatAreTooLarge(t *testing.T) {
	t.Parallel()
	s, bytes := withBudget(t, nil)
	for _, id := range []string{"fata", "fatb", "fatc"} {
		s.jobs.set(id, upstream.StatusPending, strings.Repeat("x", 700))
	}
	const tooLarge = `"message":"The jobs of this operation have more than 2000 bytes`
	for name, query := range map[string]string{
		"ids":        `{ job(ids: ["fata", "fatb", "fatc"]) { ... on Job { id } } }`,
		"fields":     `{ a: jobById(id: "fata") { __typename } b: jobById(id: "fatb") { __typename } c: jobById(id: "fatc") { __typename } }`,
		"references": `{ _entities(representations: [{__typename: "Job", id: "fata"}, {__typename: "Job", id: "fatb"}, {__typename: "Job", id: "fatc"}]) { ... on Job { id } } }`,
	} {
		for way, answer := range s.askBytes(t, query) {
			assert.Contains(t, answer, tooLarge, "%s by %s", name, way)
			assert.Contains(t, answer, `"code":"COMPLEXITY_LIMIT_EXCEEDED"`, "%s by %s", name, way)
			assert.Contains(t, answer, `"data":null`, "%s by %s", name, way)
		}
	}
	for way, answer := range s.askBytes(t, `{ job(ids: ["fata", "fatb", "fata"]) { ... on Job { id name @skip(if: true) } } }`) {
		assert.NotContains(t, answer, "errors", way)
	}
	for way, answer := range s.askBytes(t, `{ job(ids: ["fata", "fatb"]) { ... on Job { name } } }`) {
		assert.NotContains(t, answer, "errors", "%s: they count beside what is written of them", way)
	}
	assert.Eventually(t, func() bool { return bytes.InUse() == 0 }, 10*time.Second, time.Millisecond)
}

// fatSource has jobs of 900 bytes, but that of one id, for which it takes until the end.
type fatSource struct{}

func (fatSource) Job(ctx context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	if r.Key.ID == "aaaa" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	name := strings.Repeat("x", 900)
	return (&upstream.Job{ID: r.Key.ID, Name: &name, Status: upstream.StatusPending}).Encode(), nil
}

// What is refused asks for nothing more, and waits for nothing.
func TestBudget_JobsThatAreTooLargeEndTheOthers(t *testing.T) {
	t.Parallel()
	address := serveHandler(t, graph.NewHandler(fatSource{}, graph.Options{Budget: budget.New(10_000, 2_000)}))
	answer := gqltest.Get(t, address+"?"+url.Values{"query": {`{ job(ids: ["aaaa", "fata", "fatb", "fatc"]) { __typename } }`}}.Encode())
	assert.Contains(t, wholeAnswer(answer), "The jobs of this operation have more than 2000 bytes")
}

// A state that is too large to be told does not end a subscription.
func TestBudget_AnEventThatIsTooLarge(t *testing.T) {
	t.Parallel()
	const names = `subscription($ids: [ID!]!) { jobUpdated(ids: $ids) { ... on Job { status name } } }`
	s, bytes := withBudget(t, nil)
	s.jobs.set(liveJob, upstream.StatusPending, strings.Repeat("x", 3_000))
	c := s.dialReady(t)
	c.subscribe("a", names, liveJob)
	stream := s.stream(t, http.MethodPost, "", names, liveJob)
	assert.Contains(t, c.receive(), `"code":"COMPLEXITY_LIMIT_EXCEEDED"`)
	assert.Contains(t, strings.Join(stream.next(), ""), `"code":"COMPLEXITY_LIMIT_EXCEEDED"`)

	s.jobs.set(liveJob, upstream.StatusPending, "short")
	assert.Equal(t, event("a", `"status":"PENDING","name":"short"`), c.receive())
	assert.Equal(t, []string{"event: next", `data: {"data":{"jobUpdated":{"status":"PENDING","name":"short"}}}`}, stream.next())

	// Beside others it has no room, until they are gone.
	var others budget.Hold
	require.NoError(t, fill(&others, bytes))
	s.jobs.set(liveJob, upstream.StatusInProcess, "in vain")
	assert.Contains(t, c.receive(), `"code":"OVERLOADED"`)
	assert.Contains(t, strings.Join(stream.next(), ""), `"code":"OVERLOADED"`)
	others.Close()
	s.jobs.set(liveJob, upstream.StatusComplete, "short")
	assert.Equal(t, event("a", `"status":"COMPLETE","name":"short"`), c.receive())
	assert.Equal(t, `{"id":"a","type":"complete"}`, c.receive())
}

// fill takes all that is left.
func fill(hold *budget.Hold, b *budget.Budget) error {
	return hold.Open(b).Resize(int(allBytes - b.InUse()))
}

func TestBudget_NoRoomForAnotherAnswer(t *testing.T) {
	t.Parallel()
	s, bytes := withBudget(t, nil)
	s.jobs.set("job", upstream.StatusPending, "name")
	const query = `{ jobById(id: "job") { ... on Job { name } } }`
	var others budget.Hold
	require.NoError(t, fill(&others, bytes))
	for way, answer := range s.askBytes(t, query) {
		assert.Contains(t, answer, `"code":"OVERLOADED"`, way)
		if way == "POST" || way == "GET" {
			assert.Contains(t, answer, "503 Service Unavailable 1 ", way)
		}
	}
	others.Close()
	for way, answer := range s.askBytes(t, query) {
		assert.Contains(t, answer, `{"data":{"jobById":{"name":"name"}}}`, way)
	}
}

// An answer that is kept counts while it is sent.
func TestBudget_NoRoomForACachedResponse(t *testing.T) {
	t.Parallel()
	client, err := upstream.New(serveHandler(t, sandbox.New(sandbox.Options{})), upstream.Options{})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	cache := store.New(client, store.Options{ActiveTTL: time.Hour, SettledTTL: time.Hour})
	t.Cleanup(cache.Close)
	bytes := budget.New(allBytes, 2_000)
	var hows []string
	server := serveHandler(t, graph.NewHandler(cache, graph.Options{DefaultToken: sandbox.Token, Budget: bytes, CacheResponses: true,
		ObserveShared: func(how string) { hows = append(hows, how) }}))
	ask := func() string {
		return wholeAnswer(gqltest.Query(t, server+"/graphql", `{ jobById(id: "`+sandbox.DocumentedJobID+`") { ... on Job { name } } }`, nil))
	}
	const answer = `200 OK  {"data":{"jobById":{"name":"example_job"}}}`
	assert.Equal(t, answer, ask())
	assert.Equal(t, answer, ask())
	var others budget.Hold
	require.NoError(t, fill(&others, bytes))
	assert.Contains(t, ask(), `503 Service Unavailable 1 {"errors":`)
	others.Close()
	assert.Equal(t, answer, ask())
	assert.Equal(t, []string{"kept", "kept"}, hows)
	assert.Eventually(t, func() bool { return bytes.InUse() == 0 }, 10*time.Second, time.Millisecond)
}

func serveHandler(t *testing.T, handler http.Handler) string {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}
