package program_test

import (
	"bufio"
	"context"
	"fmt"
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

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

const (
	canaryToken  = "c0ffee00c0ffee00c0ffee00c0ffee00"
	canarySecret = "a-secret-that-nobody-may-see"
	watchedJob   = "00000000000000000000000000000abc"
	jobUpdated   = `subscription { jobUpdated(ids: "` + watchedJob + `") { ... on Job { status } ... on ApiError { type } } }`
)

// jobAPI has one job, whose status a test sets. While held it does not answer.
type jobAPI struct {
	*httptest.Server
	mu     sync.Mutex
	status string
	polls  int
	held   chan struct{}
}

func newJobAPI(t *testing.T) *jobAPI {
	t.Helper()
	a := &jobAPI{status: `"Pending"`}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.polls++
		status, held := a.status, a.held
		a.mu.Unlock()
		if held != nil {
			<-held
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"JobId": %q, "JobStatus": %s}`, watchedJob, status)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *jobAPI) set(status string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status = status
}

func (a *jobAPI) asked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.polls
}

// events are the data lines of the job's event stream; "" is complete.
func events(t *testing.T, base string) <-chan string {
	t.Helper()
	response := gqltest.Open(t, gqltest.Request(t, http.MethodGet, base+"/graphql?query="+url.QueryEscape(jobUpdated), "",
		"Accept", "text/event-stream", "Authorization", "Bearer "+canaryToken))
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		defer response.Body.Close()
		scanner := bufio.NewScanner(response.Body)
		for scanner.Scan() {
			if data, ok := strings.CutPrefix(scanner.Text(), "data: "); ok {
				lines <- data
			}
		}
	}()
	return lines
}

func status(text string) string { return `{"data":{"jobUpdated":{"status":"` + text + `"}}}` }

// The only polls are those that callbacks ask for: the poll interval is an hour.
func TestLive_CallbacksEndInExactlyOneFinalEvent(t *testing.T) {
	api := newJobAPI(t)
	p := program.Start(t, "--upstream-url", api.URL, "--poll-interval", "1h", "--poll-max", "1h", "--callback-secret", canarySecret)
	printed, err := program.Command(t, "callback-url", "--public-url", p.URL, "--callback-secret", canarySecret).Output()
	require.NoError(t, err)
	address := strings.Replace(strings.TrimSpace(string(printed)), "{job_id}", strings.ToUpper(watchedJob), 1)
	call := func(address string) int {
		answer := gqltest.Get(t, address)
		assert.NotContains(t, answer.Body, watchedJob)
		return answer.Status
	}

	stream := events(t, p.URL)
	assert.Equal(t, status("PENDING"), <-stream)
	for _, forged := range []string{
		p.URL + "/callbacks/?job_id=" + watchedJob,
		p.URL + "/callbacks/" + canarySecret + "?job_id=" + watchedJob,
		strings.Replace(address, "?", "A?", 1),
	} {
		assert.Equal(t, http.StatusNotFound, call(forged))
	}
	assert.Equal(t, 1, api.asked(), "a forged callback causes no look")

	// Too early, or a lie: the job is looked at, and nothing is told.
	assert.Equal(t, http.StatusNoContent, call(address))
	require.Eventually(t, func() bool { return api.asked() == 2 }, program.Timeout, time.Millisecond)

	api.set(`"Complete", "ReturnDate": "2026-01-02T03:04:05"`)
	for range 20 {
		assert.Equal(t, http.StatusNoContent, call(address))
	}
	assert.Equal(t, status("COMPLETE"), <-stream)
	assert.Equal(t, "", <-stream, "complete")
	_, open := <-stream
	assert.False(t, open, "nothing comes after the end")
	assert.Equal(t, http.StatusNoContent, call(address), "a late one does no harm")
	assert.Equal(t, 3, api.asked(), "twenty callbacks cost one look")

	signature, _, _ := strings.Cut(strings.TrimPrefix(address, p.URL+"/callbacks/"), "?")
	require.NoError(t, p.Stop(), "the log is whole")
	assert.Contains(t, p.Log(), `route="GET /callbacks/{signature}"`)
	for _, secret := range []string{signature, canarySecret, canaryToken} {
		assert.NotContains(t, p.Log(), secret)
	}
}

func TestLive_ALostCallbackIsCoveredByPolling(t *testing.T) {
	api := newJobAPI(t)
	p := program.Start(t, "--upstream-url", api.URL, "--poll-interval", "100ms")
	stream := events(t, p.URL)
	assert.Equal(t, status("PENDING"), <-stream)
	api.set(`"Media Failure"`)
	assert.Equal(t, status("MEDIA_FAILURE"), <-stream)
	assert.Equal(t, "", <-stream)
}

func TestLive_SIGTERMEndsWhatIsLiveAndAnswersWhatIsInFlight(t *testing.T) {
	api := newJobAPI(t)
	p := program.Start(t, "--upstream-url", api.URL, "--poll-interval", "1h", "--poll-max", "1h", "--cache=false")
	stream := events(t, p.URL)
	assert.Equal(t, status("PENDING"), <-stream)

	ctx, cancel := context.WithTimeout(t.Context(), program.Timeout)
	defer cancel()
	socket, _, err := websocket.Dial(ctx, p.URL+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	require.NoError(t, err)
	send := func(text string) { require.NoError(t, socket.Write(ctx, websocket.MessageText, []byte(text))) }
	receive := func() string {
		_, data, err := socket.Read(ctx)
		require.NoError(t, err)
		return string(data)
	}
	send(`{"type": "connection_init", "payload": {"Authorization": "Bearer ` + canaryToken + `"}}`)
	require.Equal(t, `{"type":"connection_ack"}`, receive())
	query := strings.ReplaceAll(jobUpdated, `"`, `\"`)
	send(`{"id": "live", "type": "subscribe", "payload": {"query": "` + query + `"}}`)
	assert.Contains(t, receive(), "PENDING")

	held := make(chan struct{})
	api.mu.Lock()
	api.held = held
	api.mu.Unlock()
	before := api.asked()
	send(`{"id": "query", "type": "subscribe", "payload": {"query": "{ job(ids: \"` + watchedJob + `\") { ... on Job { status } } }"}}`)
	require.Eventually(t, func() bool { return api.asked() == before+1 }, program.Timeout, time.Millisecond)

	stopped := make(chan error, 1)
	go func() { stopped <- p.Stop() }()
	assert.Equal(t, `{"id":"live","type":"complete"}`, receive())
	assert.Equal(t, "", <-stream, "complete")
	close(held)
	assert.Equal(t, `{"id":"query","type":"next","payload":{"data":{"job":[{"status":"PENDING"}]}}}`, receive())
	assert.Equal(t, `{"id":"query","type":"complete"}`, receive())
	_, _, err = socket.Read(ctx)
	assert.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err))
	assert.NoError(t, <-stopped, "the exit code")
	assert.NotContains(t, p.Log(), canaryToken)
}
