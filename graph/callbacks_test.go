package graph_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/transport"
	"jobgraph/upstream"
	"jobgraph/upstream/poll"
)

const (
	routerSecret = "c0ffee-verifier"
	routerPath   = "/callback/c0ffee-subscription"
)

// message is one call of a router.
type routerMessage struct {
	Kind, Action, ID, Verifier string
	Payload, Errors            json.RawMessage
}

// router is one that the test plays.
type router struct {
	*httptest.Server
	live  *liveServer
	log   bytes.Buffer
	calls chan routerMessage

	mu     sync.Mutex
	answer func(routerMessage) int // nil: 204
}

// startRouter starts a facade that may call the router back.
func startRouter(t *testing.T, change func(*graph.Options)) *router {
	t.Helper()
	r := &router{calls: make(chan routerMessage, 1000)}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	r.live = startLive(t, func(o *graph.Options) {
		callbacks := transport.NewCallbacks(transport.CallbackOptions{Origins: []string{r.URL}, Connections: o.Connections,
			Logger: slog.New(slog.NewTextHandler(&r.log, nil))})
		t.Cleanup(callbacks.Close)
		o.Callbacks = callbacks
		if change != nil {
			change(o)
		}
	})
	return r
}

func (r *router) serve(w http.ResponseWriter, request *http.Request) {
	var m routerMessage
	if json.NewDecoder(request.Body).Decode(&m) != nil || request.URL.Path != routerPath || request.Method != http.MethodPost ||
		request.Header.Get("Content-Type") != "application/json" || request.Header.Get("Subscription-Protocol") != "callback/1.0" {
		m.Action = "no callback"
	}
	r.mu.Lock()
	answer := r.answer
	r.mu.Unlock()
	r.calls <- m
	status := http.StatusNoContent
	if answer != nil {
		status = answer(m)
	}
	w.Header().Set("Subscription-Protocol", "callback/1.0")
	w.Header().Set("Location", "/elsewhere")
	w.WriteHeader(status)
}

func (r *router) answers(answer func(routerMessage) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// always has the router answer so to an action.
func always(action string, status int) func(routerMessage) int {
	return func(m routerMessage) int {
		if m.Action == action {
			return status
		}
		return http.StatusNoContent
	}
}

// next is the next call that is no heartbeat.
func (r *router) next(t *testing.T) routerMessage {
	t.Helper()
	for {
		select {
		case m := <-r.calls:
			if m.Action == "check" {
				continue
			}
			assert.Equal(t, []string{"subscription", "c0ffee-subscription", routerSecret}, []string{m.Kind, m.ID, m.Verifier})
			return m
		case <-time.After(20 * time.Second):
			require.FailNow(t, "the router is not called")
		}
	}
}

// subscribe asks as a router does. heartbeat is in milliseconds.
func (r *router) subscribe(t *testing.T, heartbeat int, token string, ids ...string) gqltest.Answer {
	t.Helper()
	return r.ask(t, map[string]any{"callbackUrl": r.URL + routerPath, "subscriptionId": "c0ffee-subscription",
		"verifier": routerSecret, "heartbeatIntervalMs": heartbeat}, token, ids...)
}

func (r *router) ask(t *testing.T, extension any, token string, ids ...string) gqltest.Answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": subscribing, "variables": map[string]any{"ids": ids},
		"extensions": map[string]any{"subscription": extension}})
	require.NoError(t, err)
	headers := []string{"Accept", "application/json;callbackSpec=1.0; charset=utf-8"}
	if token != "" {
		headers = append(headers, "Authorization", "Bearer "+token)
	}
	return gqltest.Post(t, r.live.URL+"/graphql", string(body), headers...)
}

// ended holds that nothing of the subscription is left.
func (r *router) ended(t *testing.T) {
	t.Helper()
	assert.Eventually(t, func() bool { return r.live.poller.Jobs() == 0 && r.live.connections.Open() == 0 }, 20*time.Second, 5*time.Millisecond)
}

func TestCallbacks_ARouterIsAskedThenToldOfEachChange(t *testing.T) {
	t.Parallel()
	r := startRouter(t, nil)
	answer := r.subscribe(t, 0, "", liveJob)
	assert.Equal(t, `{"data":null}`, answer.Body)
	assert.Equal(t, http.StatusOK, answer.Status)
	assert.Equal(t, "callback/1.0", answer.Header.Get("Subscription-Protocol"))
	assert.Equal(t, "private, no-store", answer.Header.Get("Cache-Control"))
	assert.Equal(t, routerMessage{Kind: "subscription", Action: "check", ID: "c0ffee-subscription", Verifier: routerSecret}, <-r.calls, "before the answer")

	m := r.next(t)
	assert.Equal(t, "next", m.Action)
	assert.JSONEq(t, `{"data": {"jobUpdated": {"id": "0001", "status": "PENDING"}}}`, string(m.Payload))
	r.live.jobs.set(liveJob, upstream.StatusInProcess, "")
	assert.JSONEq(t, `{"data": {"jobUpdated": {"id": "0001", "status": "IN_PROCESS"}}}`, string(r.next(t).Payload))
	assert.Equal(t, 1, r.live.connections.Open(), "it counts")
	r.live.jobs.set(liveJob, upstream.StatusMediaFailure, "")
	assert.JSONEq(t, `{"data": {"jobUpdated": {"id": "0001", "status": "MEDIA_FAILURE"}}}`, string(r.next(t).Payload))
	m = r.next(t)
	assert.Equal(t, "complete", m.Action)
	assert.Nil(t, m.Errors)
	r.ended(t)
}

func TestCallbacks_TheCallersTokenIsTheOne(t *testing.T) {
	t.Parallel()
	r := startRouter(t, nil)
	r.subscribe(t, 0, "abcd", liveJob)
	assert.JSONEq(t, `{"data": {"jobUpdated": {"jobId": "0001", "type": "BAD_API_TOKEN"}}}`, string(r.next(t).Payload))
	assert.Equal(t, "complete", r.next(t).Action)
}

// All who watch a job share one poller, however they are told.
func TestCallbacks_SubscriptionsShareAPoller(t *testing.T) {
	t.Parallel()
	r := startRouter(t, nil)
	for range 3 {
		r.subscribe(t, 0, "", liveJob)
		r.next(t)
	}
	assert.Equal(t, 1, r.live.poller.Jobs())
	assert.Equal(t, 3, r.live.connections.Open())
}

func TestCallbacks_ARouterThatDoesNotConfirmGetsNone(t *testing.T) {
	t.Parallel()
	r := startRouter(t, nil)
	for _, status := range []int{http.StatusNotFound, http.StatusInternalServerError, http.StatusFound, http.StatusBadRequest} {
		r.answers(always("check", status))
		answer := r.subscribe(t, 0, "", liveJob)
		assert.Equal(t, http.StatusBadGateway, answer.Status)
		assert.Contains(t, answer.Message(), "does not confirm")
	}
	r.ended(t)
	assert.Len(t, r.calls, 4, "and a redirect is not followed")
}

func TestCallbacks_A404EndsASubscription(t *testing.T) {
	t.Parallel()
	t.Run("of what is new", func(t *testing.T) {
		t.Parallel()
		r := startRouter(t, nil)
		r.answers(always("next", http.StatusNotFound))
		assert.Equal(t, http.StatusOK, r.subscribe(t, 0, "", liveJob).Status)
		r.ended(t)
		assert.Len(t, r.calls, 2, "nothing comes after it")
	})
	t.Run("of a heartbeat", func(t *testing.T) {
		t.Parallel()
		r := startRouter(t, nil)
		assert.Equal(t, http.StatusOK, r.subscribe(t, 500, "", liveJob).Status)
		assert.Equal(t, "next", r.next(t).Action)
		r.answers(always("check", http.StatusNotFound))
		r.ended(t)
	})
}

// A call that fails is made again, three times in all; the router's death ends all.
func TestCallbacks_CallsThatFail(t *testing.T) {
	t.Parallel()
	t.Run("for a while", func(t *testing.T) {
		t.Parallel()
		r := startRouter(t, nil)
		failures := 0
		r.answers(func(m routerMessage) int {
			if failures++; m.Action == "next" && failures < 4 {
				return http.StatusServiceUnavailable
			}
			return http.StatusNoContent
		})
		r.subscribe(t, 0, "", liveJob)
		first := r.next(t)
		assert.Equal(t, first, r.next(t))
		assert.Equal(t, first, r.next(t))
		r.live.jobs.set(liveJob, upstream.StatusMediaFailure, "")
		assert.Contains(t, string(r.next(t).Payload), "MEDIA_FAILURE")
	})
	t.Run("for good", func(t *testing.T) {
		t.Parallel()
		r := startRouter(t, nil)
		r.answers(always("next", http.StatusServiceUnavailable))
		r.subscribe(t, 0, "", liveJob)
		r.ended(t)
		assert.Len(t, r.calls, 4, "a check and three attempts")
		assert.Contains(t, r.log.String(), "a router is not called back any more")
		assert.NotContains(t, r.log.String(), "c0ffee")
	})
	t.Run("because the router has died", func(t *testing.T) {
		t.Parallel()
		r := startRouter(t, nil)
		r.subscribe(t, 500, "", liveJob)
		r.next(t)
		r.Close()
		r.ended(t) // while nothing is new: by its heartbeats
	})
}

// A router that is slow gets the latest state and none of those before it.
func TestCallbacks_LatestStateWins(t *testing.T) {
	t.Parallel()
	r := startRouter(t, nil)
	slow, once := make(chan struct{}), sync.Once{}
	r.answers(func(m routerMessage) int {
		if m.Action == "next" {
			once.Do(func() { <-slow })
		}
		return http.StatusNoContent
	})
	r.subscribe(t, 0, "", liveJob)
	assert.Contains(t, string(r.next(t).Payload), "PENDING")
	for _, status := range []upstream.JobStatus{upstream.StatusInProcess, upstream.StatusReviewing, upstream.StatusMediaFailure} {
		seen := func() int { r.live.jobs.mu.Lock(); defer r.live.jobs.mu.Unlock(); return r.live.jobs.calls }
		before := seen()
		r.live.jobs.set(liveJob, status, "")
		if status != upstream.StatusMediaFailure { // after which it is not polled any more
			require.Eventually(t, func() bool { return seen() >= before+3 }, 20*time.Second, time.Millisecond)
		} else {
			require.Eventually(t, func() bool { return r.live.poller.Jobs() == 0 }, 20*time.Second, time.Millisecond)
		}
	}
	close(slow)
	assert.Contains(t, string(r.next(t).Payload), "MEDIA_FAILURE")
	assert.Equal(t, "complete", r.next(t).Action)
}

func TestCallbacks_HeartbeatsGoOn(t *testing.T) {
	t.Parallel()
	r := startRouter(t, nil)
	r.subscribe(t, 500, "", liveJob)
	checks := 0
	for checks < 4 { // the one before the answer among them
		if m := <-r.calls; m.Action == "check" {
			checks++
		}
	}
	assert.Equal(t, 1, r.live.connections.Open())
}

// A subscription that cannot begin is complete with its errors.
func TestCallbacks_CompleteWithErrors(t *testing.T) {
	t.Parallel()
	r := startRouter(t, func(o *graph.Options) { o.Poller = poll.New(&jobs{}, poll.Options{MaxJobs: 1}) })
	assert.Equal(t, `{"data":null}`, r.subscribe(t, 0, "", "0001", "0002").Body)
	m := r.next(t)
	assert.Equal(t, "complete", m.Action)
	assert.Contains(t, string(m.Errors), `"code":"OVERLOADED"`)
	r.ended(t)
	assert.Equal(t, "BAD_USER_INPUT", r.subscribe(t, 0, "", "1", "2", "3", "4").Code(), "what is refused is answered so")
}

func TestCallbacks_ShutdownCompletesThem(t *testing.T) {
	t.Parallel()
	r := startRouter(t, nil)
	r.subscribe(t, 0, "", liveJob)
	assert.Equal(t, "next", r.next(t).Action)
	require.NoError(t, r.live.connections.Shutdown(t.Context()))
	assert.Equal(t, "complete", r.next(t).Action)
	assert.Equal(t, http.StatusServiceUnavailable, r.subscribe(t, 0, "", liveJob).Status)
}

// A caller names the address: no other than an allowed origin is ever called.
func TestCallbacks_WhatIsNotCalled(t *testing.T) {
	t.Parallel()
	r := startRouter(t, nil)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was called") }))
	t.Cleanup(elsewhere.Close)
	extension := func(name string, value any) map[string]any {
		e := map[string]any{"callbackUrl": r.URL + routerPath, "subscriptionId": "c0ffee-subscription", "verifier": routerSecret, "heartbeatIntervalMs": 5000}
		e[name] = value
		return e
	}
	host := strings.TrimPrefix(r.URL, "http://")
	var refused []any
	for _, address := range []string{
		elsewhere.URL, elsewhere.URL + routerPath, "http://user:secret@" + host + routerPath, r.URL + "@" + strings.TrimPrefix(elsewhere.URL, "http://"),
		r.URL + routerPath + "#c0ffee", "https://" + host, "http://localhost:" + host[strings.LastIndex(host, ":")+1:], r.URL + "0/", "//" + host, routerPath,
		"file:///etc/passwd", "http:" + host, "", "http://" + host + "%00/", r.URL + "/" + strings.Repeat("x", 3000), "http://[::ffff:127.0.0.1]:" + host[strings.LastIndex(host, ":")+1:],
	} {
		refused = append(refused, extension("callbackUrl", address))
	}
	for _, heartbeat := range []any{1, 499, 600_001, -1, 1.5, "5000x"} {
		if heartbeat == "5000x" {
			continue // a text is no number, which counts as none
		}
		refused = append(refused, extension("heartbeatIntervalMs", heartbeat))
	}
	refused = append(refused, extension("verifier", ""), extension("verifier", strings.Repeat("x", 2000)), extension("subscriptionId", 1), nil, "text", map[string]any{})
	for _, e := range refused {
		answer := r.ask(t, e, "", liveJob)
		assert.Equal(t, http.StatusBadRequest, answer.Status, "%v", e)
		assert.Equal(t, "BAD_REQUEST", answer.Code())
		assert.NotContains(t, answer.Body, "c0ffee")
	}
	assert.Empty(t, r.calls)
	assert.Zero(t, r.live.connections.Open())
}

func TestCallbacks_OnlyWhereTheyAreOnAndAsked(t *testing.T) {
	t.Parallel()
	r := startRouter(t, nil)
	body := `{"query": "subscription { jobUpdated(ids: [\"0001\"]) { __typename } }", "extensions": {"subscription": {"callbackUrl": ` + strconv.Quote(r.URL) + `, "subscriptionId": "a", "verifier": "b"}}}`
	assert.Equal(t, http.StatusNotAcceptable, gqltest.Post(t, r.live.URL+"/graphql", body, "Accept", "application/json").Status)
	off := startLive(t, nil)
	refused := gqltest.Post(t, off.URL+"/graphql", body, "Accept", "application/json;callbackSpec=1.0")
	assert.Equal(t, http.StatusNotAcceptable, refused.Status)
	assert.Contains(t, refused.Body, "--subscription-callback-origin")
	assert.Empty(t, r.calls)
	query := gqltest.Post(t, r.live.URL+"/graphql", `{"query": "{ __typename }"}`, "Accept", "application/json;callbackSpec=1.0")
	assert.Equal(t, `{"data":{"__typename":"Query"}}`, query.Body, "a query is a query")
}

// As many as the server has places for are told.
func TestCallbacks_AreBounded(t *testing.T) {
	t.Parallel()
	r := startRouter(t, nil)
	var statuses []int
	for range 12 {
		statuses = append(statuses, r.subscribe(t, 0, "", liveJob).Status)
	}
	assert.Equal(t, append(slices.Repeat([]int{http.StatusOK}, 10), http.StatusServiceUnavailable, http.StatusServiceUnavailable), statuses)
}
