package responsecache_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"jobgraph/graph"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/upstream"
	"jobgraph/upstream/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	timeout  = 20 * time.Second
	oneToken = "aaaaaaaa0000c0ffee11"
	twoToken = "bbbbbbbb0000facade22"
)

// clock is a time that the test moves.
type clock struct{ nanos atomic.Int64 }

func (c *clock) Now() int64              { return c.nanos.Load() }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// world is the facade with its cache over a job API that the test plays.
type world struct {
	*httptest.Server
	now     *clock
	client  *upstream.Client
	waiting atomic.Int64 // operations that have begun or joined an execution
	answers atomic.Int64

	mu     sync.Mutex
	asked  []string // job ids, in the order they came
	shared []string // how, in the order they were given
}

// api plays the job API: it gives a job's fields, or a status of its own.
type api func(r *http.Request, token, id string) (status int, body string)

// job is a Job Info object with a name.
func job(id, name, status string) string {
	return fmt.Sprintf(`{"JobId": %q, "JobName": %q, "JobStatus": %q}`, id, name, status)
}

// plain gives each job the name of the token that asked.
func plain(_ *http.Request, token, id string) (int, string) {
	return http.StatusOK, job(id, token, "Pending")
}

type setting func(*graph.Options, *bool)

func withoutCache(_ *graph.Options, cached *bool) { *cached = false }

func newWorld(t *testing.T, answer api, settings ...setting) *world {
	t.Helper()
	w := &world{now: &clock{}}
	rest := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		token, id := r.URL.Query().Get("api_token"), r.URL.Query().Get("job_id")
		w.mu.Lock()
		w.asked = append(w.asked, id)
		w.mu.Unlock()
		status, body := answer(r, token, id)
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, body)
	}))
	t.Cleanup(rest.Close)
	var err error
	w.client, err = upstream.New(rest.URL, upstream.Options{})
	require.NoError(t, err)
	t.Cleanup(w.client.Close)
	opts := graph.Options{CacheResponses: true,
		ObserveOperation: func(context.Context, graph.Operation) { w.answers.Add(1) },
		ObserveShared: func(how string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.shared = append(w.shared, how)
		}}
	cached := true
	for _, set := range settings {
		set(&opts, &cached)
	}
	storeOptions := store.Options{Now: w.now.Now}
	if cached {
		storeOptions.SettledTTL, storeOptions.ActiveTTL = time.Minute, time.Second
	}
	source := store.New(w.client, storeOptions)
	t.Cleanup(source.Close)
	endpoint := graph.NewHandler(source, opts)
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ctx := &noticed{Context: r.Context(), notice: sync.OnceFunc(func() { w.waiting.Add(1) })}
		endpoint.ServeHTTP(rw, r.WithContext(ctx))
	}))
	t.Cleanup(w.Close)
	return w
}

// noticed tells when somebody begins to wait for the request's end: whoever leads an
// execution or follows one does.
type noticed struct {
	context.Context
	notice func()
}

func (c *noticed) Done() <-chan struct{} {
	c.notice()
	return c.Context.Done()
}

// untilWaiting returns when so many operations in all have begun or joined an execution.
func (w *world) untilWaiting(t *testing.T, n int64) {
	t.Helper()
	require.Eventually(t, func() bool { return w.waiting.Load() >= n }, timeout, time.Millisecond)
}

func (w *world) calls() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked)
}

// given is how answers were given without an execution since it was last asked.
func (w *world) shares() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	shares := w.shared
	w.shared = nil
	return shares
}

// operation is one POST.
type operation struct {
	token, query, name string
	variables          map[string]any
	fresh              bool
}

const names = `query ($ids: [ID!]!) { job(ids: $ids) { ... on Job { id name status } ... on ApiError { type jobId } } }`

// jobs asks for the jobs with the first token.
func jobs(ids ...string) operation {
	return operation{token: oneToken, query: names, variables: map[string]any{"ids": ids}}
}

func (w *world) request(t *testing.T, o operation) *http.Request {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": o.query, "operationName": o.name, "variables": o.variables})
	require.NoError(t, err)
	r := gqltest.Request(t, http.MethodPost, w.URL, string(body), "Content-Type", "application/json", "Authorization", "Bearer "+o.token)
	if o.fresh {
		r.Header.Set("Cache-Control", "no-cache")
	}
	return r
}

// do is for who may leave before the answer: the error is the context's.
func (w *world) do(ctx context.Context, t *testing.T, o operation) (gqltest.Answer, error) {
	return gqltest.Send(w.request(t, o).WithContext(ctx))
}

// ask gives the body of an answer with status 200.
func (w *world) ask(t *testing.T, o operation) string {
	t.Helper()
	answer := gqltest.Do(t, w.request(t, o))
	require.Equal(t, http.StatusOK, answer.Status, answer.Body)
	return answer.Body
}

// askTwice has the answer cached.
func (w *world) askTwice(t *testing.T, o operation) string {
	t.Helper()
	w.ask(t, o)
	return w.ask(t, o)
}
