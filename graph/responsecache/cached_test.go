package responsecache_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/responsecache"
)

// versions gives each job the name "N", where N is the next time that it is asked for.
func versions() api {
	var n atomic.Int64
	return func(_ *http.Request, _, id string) (int, string) {
		return http.StatusOK, job(id, fmt.Sprint(n.Add(1)), "Pending")
	}
}

// What is asked for the first time is not cached: who asks for something new each time would
// have no use of it.
func TestResponseCache_AnAnswerIsCachedFromTheSecondTimeOn(t *testing.T) {
	w := newWorld(t, versions())
	first := w.ask(t, jobs("aa"))
	assert.Equal(t, first, w.ask(t, jobs("aa")))
	assert.Empty(t, w.shares())
	assert.Equal(t, first, w.ask(t, jobs("aa")))
	assert.Equal(t, repeated(responsecache.Cached, 1), w.shares())
	assert.Len(t, w.calls(), 1)
}

func TestResponseCache_AnAnswerIsCachedUntilItsFirstJobExpires(t *testing.T) {
	w := newWorld(t, versions())
	w.ask(t, jobs("aa"))
	w.now.advance(600 * time.Millisecond)
	both := w.askTwice(t, jobs("aa", "bb"))
	assert.Contains(t, both, `"name":"1"`)
	assert.Equal(t, both, w.ask(t, jobs("aa", "bb")))
	w.now.advance(399 * time.Millisecond)
	assert.Equal(t, both, w.ask(t, jobs("aa", "bb")))
	assert.Equal(t, repeated(responsecache.Cached, 2), w.shares())
	assert.EqualValues(t, 5, w.answers.Load(), "each answer is counted")

	w.now.advance(2 * time.Millisecond)
	changed := w.ask(t, jobs("aa", "bb"))
	assert.Contains(t, changed, `"name":"3"`, "aa is asked again")
	assert.Contains(t, changed, `"name":"2"`, "bb is kept still")
	assert.Empty(t, w.shares())
	assert.Equal(t, []string{"aa", "bb", "aa"}, w.calls())
	assert.Equal(t, changed, w.ask(t, jobs("aa", "bb")))
	assert.Equal(t, repeated(responsecache.Cached, 1), w.shares())
}

func TestResponseCache_ASettledJobsAnswerIsCachedAsLongAsTheJob(t *testing.T) {
	w := newWorld(t, func(_ *http.Request, _, id string) (int, string) {
		return http.StatusOK, fmt.Sprintf(`{"JobId": %q, "JobStatus": "Complete", "ReturnDate": "2014-08-27T14:10:42"}`, id)
	})
	w.askTwice(t, jobs("aa"))
	w.now.advance(time.Minute - time.Millisecond)
	w.ask(t, jobs("aa"))
	assert.Len(t, w.calls(), 1)
	w.now.advance(2 * time.Millisecond)
	w.ask(t, jobs("aa"))
	assert.Len(t, w.calls(), 2)
	assert.Equal(t, repeated(responsecache.Cached, 1), w.shares())
}

// Whatever makes the cache know a job better ends the answers made of it.
func TestResponseCache_AnAnswerIsGoneAsSoonAsOneOfItsJobsIsRefreshed(t *testing.T) {
	for name, refresh := range map[string]func(*testing.T, *world){
		"by a request for fresh data": func(t *testing.T, w *world) {
			o := jobs("aa", "bb")
			o.fresh = true
			assert.Contains(t, w.ask(t, o), `"name":"4"`)
		},
		"by a request for fresh data of one job": func(t *testing.T, w *world) {
			o := jobs("bb")
			o.fresh = true
			w.ask(t, o)
		},
		"by a subscription's look": func(t *testing.T, w *world) { w.watch(t, "bb") },
		"by a reference's reload, once it has expired": func(t *testing.T, w *world) {
			w.now.advance(time.Second + time.Millisecond)
			w.ask(t, reference("aa"))
			w.ask(t, reference("bb"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, versions())
			before := w.askTwice(t, jobs("aa", "bb"))
			require.Equal(t, before, w.ask(t, jobs("aa", "bb")))
			require.Equal(t, repeated(responsecache.Cached, 1), w.shares())
			refresh(t, w)
			calls := len(w.calls())
			after := w.ask(t, jobs("aa", "bb"))
			assert.NotEqual(t, before, after)
			assert.Empty(t, w.shares())
			assert.Len(t, w.calls(), calls, "what was refreshed is in the cache")
		})
	}
}

// watch returns after a subscription's first look.
func (w *world) watch(t *testing.T, id string) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := w.request(t, operation{token: oneToken, query: `subscription ($ids: [ID!]!) { jobUpdated(ids: $ids) { ... on Job { name } } }`,
		variables: map[string]any{"ids": []string{id}}})
	r.Header.Set("Accept", "text/event-stream")
	response := gqltest.Open(t, r.WithContext(ctx))
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: {") {
	}
	require.Contains(t, lines.Text(), "jobUpdated")
}

func reference(id string) operation {
	return operation{token: oneToken, query: `query ($r: [_Any!]!) { _entities(representations: $r) { ... on Job { name } } }`,
		variables: map[string]any{"r": []any{map[string]any{"__typename": "Job", "id": id}}}}
}

func TestResponseCache_WhatIsNeverCached(t *testing.T) {
	fails := func(status int, body string) api {
		return func(r *http.Request, token, id string) (int, string) {
			if id == "bb" {
				return status, body
			}
			return plain(r, token, id)
		}
	}
	withToken := func(token string, o operation) operation {
		o.token = token
		return o
	}
	for name, c := range map[string]struct {
		answer api
		o      operation
	}{
		"a retryable failure beside a job": {fails(http.StatusServiceUnavailable, ""), jobs("aa", "bb")},
		"a body that is no job":            {fails(http.StatusOK, "{"), jobs("aa", "bb")},
		"a refused token":                  {fails(http.StatusBadRequest, `{"ErrorType": "BAD_API_TOKEN", "ErrorComment": "no"}`), jobs("aa", "bb")},
		"an id that is none":               {plain, jobs("aa", "zz")},
		"a token that is none":             {plain, withToken("zz", jobs("aa"))},
		"errors of a reference":            {fails(http.StatusServiceUnavailable, ""), reference("bb")},
		"no job at all":                    {plain, jobs()},
		"introspection":                    {plain, operation{token: oneToken, query: `{ __schema { queryType { name } } }`}},
		"a type's name":                    {plain, operation{token: oneToken, query: `{ __typename }`}},
		"the subgraph's SDL":               {plain, operation{token: oneToken, query: `{ _service { sdl } }`}},
		"what is not valid":                {plain, operation{token: oneToken, query: `{ jobs }`}},
		"variables that do not fit":        {plain, operation{token: oneToken, query: names}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.answer)
			for range 3 {
				require.NotEmpty(t, gqltest.Do(t, w.request(t, c.o)).Body)
			}
			assert.Empty(t, w.shares())
		})
	}
}

// Once the job API has refused a token, for whichever job, no answer that was kept for it
// is given any more; another token's still is.
func TestResponseCache_ARefusedTokenIsGivenNoCachedResponse(t *testing.T) {
	var refuse atomic.Bool
	w := newWorld(t, func(r *http.Request, token, id string) (int, string) {
		if refuse.Load() && token == oneToken {
			return http.StatusUnauthorized, ""
		}
		return plain(r, token, id)
	})
	others := jobs("aa")
	others.token = twoToken
	w.askTwice(t, jobs("aa"))
	w.askTwice(t, others)
	w.ask(t, jobs("aa"))
	w.ask(t, others)
	require.Equal(t, repeated(responsecache.Cached, 2), w.shares())
	refuse.Store(true)
	assert.Contains(t, w.ask(t, jobs("bb")), "BAD_API_TOKEN")
	assert.Contains(t, w.ask(t, jobs("aa")), "BAD_API_TOKEN")
	assert.Empty(t, w.shares())
	assert.Contains(t, w.ask(t, others), twoToken)
	assert.Equal(t, repeated(responsecache.Cached, 1), w.shares())
	refuse.Store(false)
	for range 2 {
		assert.Contains(t, w.ask(t, jobs("aa")), oneToken)
	}
	assert.Equal(t, repeated(responsecache.Cached, 1), w.shares())
}

// A refusal is answered before anything is executed: it is nobody else's.
func TestResponseCache_ARefusalIsNotShared(t *testing.T) {
	w := newWorld(t, plain)
	for _, variables := range []map[string]any{{"ids": nil}, {"ids": []any{nil}}, {}} {
		assert.Contains(t, w.ask(t, operation{token: oneToken, query: names, variables: variables}), `"errors"`)
	}
	assert.Contains(t, w.ask(t, jobs("aa")), oneToken)
	assert.Empty(t, w.shares())
}

func TestResponseCache_AJobThatIsNotFoundIsCachedForASecond(t *testing.T) {
	w := newWorld(t, func(*http.Request, string, string) (int, string) {
		return http.StatusBadRequest, `{"ErrorType": "ITEM_NOT_FOUND", "ErrorComment": "none"}`
	})
	for _, o := range []operation{jobs("aa"), reference("bb")} {
		first := w.askTwice(t, o)
		assert.Equal(t, first, w.ask(t, o))
		assert.Equal(t, repeated(responsecache.Cached, 1), w.shares())
		w.now.advance(time.Second)
		w.ask(t, o)
		assert.Empty(t, w.shares())
	}
}

func TestResponseCache_ReferencesAreCached(t *testing.T) {
	w := newWorld(t, plain)
	first := w.askTwice(t, reference("aa"))
	assert.Contains(t, first, oneToken)
	assert.Equal(t, first, w.ask(t, reference("aa")))
	assert.Equal(t, repeated(responsecache.Cached, 1), w.shares())
}

func TestResponseCache_ResponsesOfTwoTokensNeverMeet(t *testing.T) {
	w := newWorld(t, plain)
	for range 3 {
		for _, token := range []string{oneToken, twoToken} {
			o := jobs("aa")
			o.token = token
			body := w.ask(t, o)
			assert.Contains(t, body, token)
			assert.NotContains(t, body, other(token))
		}
	}
	assert.Len(t, w.calls(), 2)
	assert.Equal(t, repeated(responsecache.Cached, 2), w.shares(), "the third of each")
}

func TestResponseCache_WithoutTheFlagNothingIsCached(t *testing.T) {
	w := newWorld(t, plain, func(o *graph.Options, _ *bool) { o.CacheResponses = false })
	for range 3 {
		w.ask(t, jobs("aa"))
	}
	assert.Empty(t, w.shares())
	assert.Len(t, w.calls(), 1)
}

// However the text came, the answer is the same, headers and all; a GET has an ETag besides.
func TestResponseCache_TheSameTextByPostByGetAndByItsHash(t *testing.T) {
	w := newWorld(t, plain)
	const query = `{ job(ids: ["aa"]) { ... on Job { name } } }`
	sum := sha256.Sum256([]byte(query))
	hash := `{"persistedQuery": {"version": 1, "sha256Hash": "` + hex.EncodeToString(sum[:]) + `"}}`
	var body string
	var header http.Header
	token := []string{"Authorization", "Bearer " + oneToken}
	for i, answer := range []gqltest.Answer{
		gqltest.Post(t, w.URL, fmt.Sprintf(`{"query": %q, "extensions": %s}`, query, hash), token...),
		gqltest.Post(t, w.URL, fmt.Sprintf(`{"query": %q}`, query), token...),
		gqltest.Post(t, w.URL, fmt.Sprintf(`{"variables": {}, "extensions": %s}`, hash), token...),
		gqltest.Get(t, w.URL+"?"+url.Values{"query": {query}}.Encode(), token...),
		gqltest.Get(t, w.URL+"?"+url.Values{"extensions": {hash}}.Encode(), token...),
	} {
		require.Equal(t, http.StatusOK, answer.Status, answer.Body)
		answer.Header.Del("Date")
		assert.Equal(t, i >= 3, answer.Header.Get("Etag") != "")
		answer.Header.Del("Etag")
		if i == 0 {
			body, header = answer.Body, answer.Header
			assert.Equal(t, `{"data":{"job":[{"name":"`+oneToken+`"}]}}`, body)
			continue
		}
		assert.Equal(t, body, answer.Body)
		assert.Equal(t, header, answer.Header)
	}
	assert.Equal(t, repeated(responsecache.Cached, 3), w.shares())
}

// A body that is the query string of a request that was answered is still no request.
func TestResponseCache_MethodsNeverMeet(t *testing.T) {
	w := newWorld(t, plain)
	query := url.Values{"query": {`{ job(ids: ["aa"]) { ... on Job { name } } }`}}.Encode()
	ask := func(method, query, body string) string {
		r, err := http.NewRequestWithContext(t.Context(), method, w.URL+"?"+query, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+oneToken)
		r.Header.Set("Content-Type", "application/json")
		return gqltest.Do(t, r).Body
	}
	for range 3 {
		require.Contains(t, ask(http.MethodGet, query, ""), oneToken)
	}
	assert.Contains(t, ask(http.MethodPost, "", query), "BAD_REQUEST")
}
