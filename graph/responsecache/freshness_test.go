package responsecache_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/graph/budget"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/responsecache"
)

// settledAndActive gives a job that has settled, but for "bb", which has not, and "00", which
// there is not.
func settledAndActive(r *http.Request, token, id string) (int, string) {
	switch id {
	case "bb":
		return plain(r, token, id)
	case "00":
		return http.StatusBadRequest, `{"ErrorType": "ITEM_NOT_FOUND", "ErrorComment": "none"}`
	default:
		return http.StatusOK, fmt.Sprintf(`{"JobId": %q, "JobName": %q, "JobStatus": "Complete", "ReturnDate": "2014-08-27T14:10:42"}`, id, token)
	}
}

// get asks for the jobs by GET.
func (w *world) get(t *testing.T, token, ids string, headers ...string) gqltest.Answer {
	t.Helper()
	query := url.Values{"query": {`{ job(ids: [` + ids + `]) { ... on Job { name status } ... on ApiError { type } } }`}}.Encode()
	return gqltest.Get(t, w.URL+"?"+query, append([]string{"Authorization", "Bearer " + token}, headers...)...)
}

func cacheControl(a gqltest.Answer) string { return a.Header.Get("Cache-Control") }

// An answer may be kept for as long as the first of its jobs is: whole seconds, which get fewer.
func TestFreshness_IsThatOfTheFirstJobToExpire(t *testing.T) {
	for name, settings := range map[string][]setting{
		"answers are cached": nil,
		"jobs alone are":     {func(o *graph.Options, _ *bool) { o.CacheResponses = false }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, settledAndActive, settings...)
			for _, ask := range []func() gqltest.Answer{
				func() gqltest.Answer { return gqltest.Do(t, w.request(t, jobs("aa"))) },
				func() gqltest.Answer { return w.get(t, oneToken, `"aa"`) },
			} {
				for _, want := range []string{"private, max-age=60", "private, max-age=59", "private, max-age=59", "private, max-age=58"} {
					got := ask()
					assert.Equal(t, want, cacheControl(got))
					assert.Equal(t, []string{"Authorization, Accept"}, got.Header.Values("Vary"))
					w.now.advance(400 * time.Millisecond)
				}
				w.now.advance(time.Hour)
			}
			w.ask(t, jobs("aa"))
			w.now.advance(10 * time.Second)
			for _, o := range []operation{jobs("aa", "cc"), jobs("cc", "aa"), jobs("cc", "aa")} {
				assert.Equal(t, "private, max-age=50", cacheControl(gqltest.Do(t, w.request(t, o))), "of two, the first to expire")
			}
			w.now.advance(time.Hour)
			assert.Equal(t, "private, max-age=1", cacheControl(gqltest.Do(t, w.request(t, jobs("aa", "bb")))), "of an active job")
			assert.Equal(t, "private, max-age=1", cacheControl(w.get(t, oneToken, `"00"`)), "that there is no such job")
			w.now.advance(time.Millisecond)
			assert.Equal(t, "private, max-age=0", cacheControl(w.get(t, oneToken, `"bb"`)))
			assert.Equal(t, "private, max-age=0", cacheControl(gqltest.Do(t, w.request(t, jobs("aa", "bb")))))
		})
	}
}

func TestFreshness_WhatMustNotBeStored(t *testing.T) {
	fails := func(r *http.Request, token, id string) (int, string) {
		if id == "bb" {
			return http.StatusServiceUnavailable, ""
		}
		return settledAndActive(r, token, id)
	}
	w := newWorld(t, fails, func(o *graph.Options, _ *bool) { o.HideSchema = true })
	for name, o := range map[string]operation{
		"a retryable failure beside a job": jobs("aa", "bb"),
		"an id that is none":               jobs("aa", "zz"),
		"errors of a reference":            reference("bb"),
		"no job at all":                    jobs(),
		"introspection, which is off":      {token: oneToken, query: `{ __schema { queryType { name } } }`},
		"what is not valid":                {token: oneToken, query: `{ nothing }`},
		"a token that is none":             {token: "zz", query: names, variables: map[string]any{"ids": []string{"aa"}}},
	} {
		for range 2 {
			assert.Equal(t, "private, no-store", cacheControl(gqltest.Do(t, w.request(t, o))), name)
			get := gqltest.Get(t, w.URL+"?"+url.Values{"query": {o.query}}.Encode(), "If-None-Match", "*")
			assert.Equal(t, "private, no-store", cacheControl(get), name)
			assert.Empty(t, get.Header.Get("Etag"), name)
			assert.NotEqual(t, http.StatusNotModified, get.Status, name)
		}
	}
	small := newWorld(t, settledAndActive, func(o *graph.Options, _ *bool) { o.Budget = budget.New(0, 100) })
	for range 2 {
		got := gqltest.Do(t, small.request(t, jobs(slices.Repeat([]string{"aa"}, 50)...)))
		require.NotEmpty(t, got.Errors(), "an answer that is too large")
		assert.Equal(t, "private, no-store", cacheControl(got), "of jobs that are cached")
	}
	uncached := newWorld(t, settledAndActive, withoutCache)
	assert.Equal(t, "private, no-store", cacheControl(gqltest.Do(t, uncached.request(t, jobs("aa")))))
	assert.Equal(t, "private, no-store", cacheControl(uncached.get(t, oneToken, `"aa"`, "If-None-Match", "*")))
}

// A request for fresh data is answered with what others will be served: it may be stored.
func TestFreshness_OfFreshData(t *testing.T) {
	w := newWorld(t, settledAndActive)
	for range 2 {
		got := w.get(t, oneToken, `"aa"`, "Cache-Control", "no-cache")
		assert.Equal(t, "private, max-age=60", cacheControl(got))
		assert.NotEmpty(t, got.Header.Get("Etag"))
	}
	assert.Len(t, w.calls(), 2)
}

// A GET that names what it has is told that it is so, without the answer, an execution or a
// call, whether or not the answer comes from the cache.
func TestFreshness_ETagAndNotModified(t *testing.T) {
	w := newWorld(t, settledAndActive)
	first := w.get(t, oneToken, `"aa"`)
	etag := first.Header.Get("Etag")
	require.Regexp(t, `^W/"[\w-]{22}"$`, etag)
	w.get(t, oneToken, `"aa"`)
	for _, has := range []string{etag, `"other", ` + etag, "*", etag[2:]} {
		again := w.get(t, oneToken, `"aa"`, "If-None-Match", has)
		assert.Equal(t, http.StatusNotModified, again.Status, has)
		assert.Empty(t, again.Body)
		for _, name := range []string{"Etag", "Cache-Control", "Vary"} {
			assert.Equal(t, first.Header.Values(name), again.Header.Values(name), name)
		}
	}
	assert.Equal(t, repeated(responsecache.Cached, 4), w.shares(), "nothing was executed")
	for _, has := range []string{"", `"other"`, `W/"other"`, etag[3:]} {
		again := w.get(t, oneToken, `"aa"`, "If-None-Match", has)
		assert.Equal(t, http.StatusOK, again.Status, has)
		assert.Equal(t, first.Body, again.Body)
	}
	assert.Len(t, w.calls(), 1)

	post := w.request(t, jobs("aa"))
	post.Header.Set("If-None-Match", "*")
	answer := gqltest.Do(t, post)
	assert.Equal(t, http.StatusOK, answer.Status, "a POST has no condition")
	assert.Empty(t, answer.Header.Get("Etag"))

	w.now.advance(time.Hour)
	again := w.get(t, oneToken, `"aa"`, "If-None-Match", etag)
	assert.Equal(t, http.StatusNotModified, again.Status, "the job was fetched, and is as it was")
	assert.Len(t, w.calls(), 2)
	assert.Equal(t, "private, max-age=60", cacheControl(again))
}

// The ETag is that of the data and the token: neither what has changed nor what another
// caller was given is ever confirmed.
func TestFreshness_AnETagIsOneCallersAndOneAnswers(t *testing.T) {
	var name atomic.Value
	name.Store("one")
	w := newWorld(t, func(_ *http.Request, _, id string) (int, string) {
		return http.StatusOK, job(id, name.Load().(string), "Pending")
	})
	etag := w.get(t, oneToken, `"aa"`).Header.Get("Etag")
	others := w.get(t, twoToken, `"aa"`, "If-None-Match", etag)
	assert.Equal(t, http.StatusOK, others.Status, "the same bytes for another token")
	assert.NotEqual(t, etag, others.Header.Get("Etag"))

	name.Store("two")
	w.now.advance(time.Second)
	changed := w.get(t, oneToken, `"aa"`, "If-None-Match", etag)
	assert.Equal(t, http.StatusOK, changed.Status)
	assert.Contains(t, changed.Body, "two")
	assert.NotEqual(t, etag, changed.Header.Get("Etag"))
}
