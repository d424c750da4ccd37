package graph_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/serve/admin"
	"jobgraph/upstream"
	"jobgraph/upstream/faults"
)

// TestSecrets_TheServersTokenIsNotFoundDigitByDigit plays the caller without a token who
// knows eight digits of the server's own and asks for ids that end with each next
// digit. The upstream repeats the ids, and the token, in its own way.
func TestSecrets_TheServersTokenIsNotFoundDigitByDigit(t *testing.T) {
	rest := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("job_id")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"ErrorType": "ITEM_NOT_FOUND", "ErrorComment": "No %s. Job %s.0 of %s%s in %s."}`,
			strings.ToUpper(id), id, id, id, r.URL.Query().Get("api_token"))
	})
	s := newStack(t, rest, graph.Options{DefaultToken: canary})
	for known := 8; known < len(canary); known++ {
		var asked []string
		for _, digit := range "0123456789abcdef" {
			asked = append(asked, canary[known-7:known]+string(digit))
		}
		got := s.data(t, `query ($ids: [ID!]!) { job(ids: $ids) { ... on ApiError { comment } } }`, ids(asked...))
		for _, id := range asked {
			got = strings.ReplaceAll(got, id, "ID")
		}
		one := `{"comment":"No [redacted]. Job ID.0 of [redacted] in [redacted]."}`
		require.Equal(t, `{"job":[`+strings.Repeat(one+",", 15)+one+`]}`, got, "known: %d digits", known)
	}
}

const (
	credential = "pa55w0rd-of-a-callback"
	secretPath = "a-secret-path"
	secretURL  = "https://me:" + credential + "@callbacks.example/" + secretPath + "?signature=" + credential
)

// TestSecrets_NoFaultShowsASecret has an upstream repeat the server's own token and an
// address with credentials in each text of each fault, and asks by every route.
func TestSecrets_NoFaultShowsASecret(t *testing.T) {
	const elsewhere = "http://127.0.0.1:1/" + canary
	for _, fault := range append(faults.All(elsewhere), faults.RateLimit(canary)) {
		t.Run(fault.Name, func(t *testing.T) { faultShowsNoSecret(t, badID, fault) })
	}
	for _, fault := range append(faults.Lists(elsewhere), faults.RateLimit(canary)) {
		if fault.Large {
			continue
		}
		t.Run("list, "+fault.Name, func(t *testing.T) { faultShowsNoSecret(t, faults.List, fault) })
	}
}

// faultShowsNoSecret has it come with one job, or with the list.
func faultShowsNoSecret(t *testing.T, faulty string, fault *faults.Fault) {
	t.Parallel()
	server, err := faults.NewServer(func(id string) *faults.Fault {
		if id == faulty {
			return fault
		}
		return nil
	})
	require.NoError(t, err)
	defer server.Close()
	server.Repeat(secretURL)
	var log lockedBuffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	metrics := admin.NewMetrics()
	opts := upstream.Options{Logger: logger, Observer: metrics, Timeout: time.Second, AttemptTimeout: 500 * time.Millisecond}
	client := newClient(t, server.URL(), opts)
	answers := everyRoute(t, graph.NewHandler(client, graph.Options{
		Logger: logger, DefaultToken: canary, ObserveOperation: func(_ context.Context, done graph.Operation) { metrics.OperationDone(done, "") }}))
	_, err = client.Job(t.Context(), upstream.NewRequest(canary, badID))
	for ; err != nil; err = unwrapped(err) {
		answers += err.Error()
	}
	operator := httptest.NewRecorder()
	admin.New(metrics).ServeHTTP(operator, httptest.NewRequest(http.MethodGet, "http://127.0.0.1/metrics", nil))
	assert.Contains(t, operator.Body.String(), "jobgraph_upstream_call_seconds_count")
	showsNoSecret(t, "answers", answers)
	showsNoSecret(t, "the log", log.String())
	showsNoSecret(t, "metrics", operator.Body.String())
}

func unwrapped(err error) error {
	if one, ok := err.(interface{ Unwrap() error }); ok {
		return one.Unwrap()
	}
	return nil
}

// TestSecrets_NoPanicShowsASecret panics with them on every route.
func TestSecrets_NoPanicShowsASecret(t *testing.T) {
	var log lockedBuffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	answers := everyRoute(t, graph.NewHandler(panicking{}, graph.Options{Logger: logger, DefaultToken: canary}))
	assert.Contains(t, answers, "INTERNAL_SERVER_ERROR")
	assert.Contains(t, log.String(), "panic: a string")
	showsNoSecret(t, "answers", answers)
	showsNoSecret(t, "the log", log.String())
}

func showsNoSecret(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range []string{credential, secretPath, "//me", "signature=", canary[:8], canary[20:28], strings.ToUpper(canary[:8])} {
		assert.NotContains(t, text, secret, where)
	}
}

// everyRoute is all that is answered to a caller without a token who asks for the
// bad job and a good one, in each way that there is.
func everyRoute(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	const (
		fields   = `{ __typename ... on Job { id status } ... on ApiError { type comment jobId upstreamType } }`
		jobs     = `{ job(ids: ["` + badID + `", "a1"]) ` + fields + ` }`
		jobByID  = `{ a: jobById(id: "` + badID + `") ` + fields + ` b: jobById(id: "a1") ` + fields + ` }`
		entities = `{ _entities(representations: [{__typename: "Job", id: "` + badID + `"}, {__typename: "Job", id: "a1"}]) { ... on Job { id } } }`
		list     = `{ jobs(first: 4) { nodes { id status } pageInfo { endCursor } } }`
		changes  = `subscription { jobUpdated(ids: ["` + badID + `"]) ` + fields + ` }`
	)
	var answers strings.Builder
	ask := func(method, accept, query string) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		request := gqltest.Request(t, method, server.URL+"?query="+url.QueryEscape(query), "", "Accept", accept)
		if method == http.MethodPost {
			request = gqltest.Request(t, method, server.URL, fmt.Sprintf(`{"query": %q}`, query), "Accept", accept, "Content-Type", "application/json")
		}
		request = request.WithContext(ctx)
		if query == changes { // it may never end: the first event will do
			response := gqltest.Open(t, request)
			defer response.Body.Close()
			_ = response.Header.Write(&answers)
			first := make([]byte, 4096)
			n, err := io.ReadAtLeast(response.Body, first, len("event: next\ndata: {}"))
			require.NoError(t, err)
			answers.Write(first[:n])
			return
		}
		answer := gqltest.Do(t, request)
		_ = answer.Header.Write(&answers)
		answers.WriteString(answer.Body)
	}
	for _, query := range []string{jobs, jobByID, entities, list} {
		ask(http.MethodPost, "application/json", query)
	}
	ask(http.MethodGet, "application/json", jobs)
	ask(http.MethodGet, "text/event-stream", jobs)
	ask(http.MethodPost, "text/event-stream", changes)
	for _, query := range []string{jobs, changes} {
		answers.WriteString(firstMessage(t, server.URL, query))
	}
	return answers.String()
}

// firstMessage is the first answer of an operation over a WebSocket.
func firstMessage(t *testing.T, address, query string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, address, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	require.NoError(t, err)
	defer conn.CloseNow()
	for _, message := range []string{`{"type": "connection_init"}`, fmt.Sprintf(`{"id": "a", "type": "subscribe", "payload": {"query": %q}}`, query)} {
		require.NoError(t, conn.Write(ctx, websocket.MessageText, []byte(message)))
	}
	var answers strings.Builder
	for range 2 {
		_, message, err := conn.Read(ctx)
		require.NoError(t, err)
		answers.Write(message)
	}
	return answers.String()
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(text)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
