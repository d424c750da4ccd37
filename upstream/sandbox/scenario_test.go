package sandbox

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// ask asks for the documented job, with a scenario by header, "" for none.
func ask(t *testing.T, opts Options, token, header string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/job/info?v=1&api_token="+token+"&job_id="+DocumentedJobID, nil)
	if header != "" {
		r.Header.Set(ScenarioHeader, header)
	}
	w := httptest.NewRecorder()
	New(opts).ServeHTTP(w, r)
	return w
}

func parsed(t *testing.T, text string) Scenario {
	t.Helper()
	s, err := ParseScenario(text)
	assert.NoError(t, err)
	return s
}

func TestScenario_ByHeaderByTokenAndByOption(t *testing.T) {
	for text, want := range map[string]struct {
		status int
		body   string
	}{
		"fail=503":              {http.StatusServiceUnavailable, ""},
		"fail=404":              {http.StatusNotFound, ""},
		"expired":               {http.StatusBadRequest, `"BAD_API_TOKEN"`},
		"rate-limited":          {http.StatusTooManyRequests, ""},
		"malformed":             {http.StatusOK, `{"JobId": "`},
		"media-failure":         {http.StatusOK, `"Media Failure"`},
		"life=10s":              {http.StatusOK, `"Authorizing"`},
		"expired, slow=1ms":     {http.StatusBadRequest, `"BAD_API_TOKEN"`},
		"life=1h,media-failure": {http.StatusOK, `"Media Failure"`},
	} {
		for how, got := range map[string]*httptest.ResponseRecorder{
			"header":       ask(t, Options{}, Token, text),
			"token":        ask(t, Options{}, ScenarioToken(Token, text), ""),
			"option":       ask(t, Options{Scenario: parsed(t, text)}, Token, ""),
			"header first": ask(t, Options{Scenario: parsed(t, "fail=500")}, ScenarioToken(Token, "fail=501"), text),
		} {
			assert.Equal(t, want.status, got.Code, "%s by %s", text, how)
			assert.Contains(t, got.Body.String(), want.body, "%s by %s", text, how)
		}
	}
	assert.Contains(t, ask(t, Options{}, Token, "").Body.String(), `"Complete"`)
}

func TestScenario_WhatMakesNoSense(t *testing.T) {
	for _, text := range []string{"nothing", "slow", "slow=2", "slow=-1s", "slow=2m", "fail=200", "fail=600", "fail", "life=1ms", "life=2h",
		"expired=1", "slow=2s,", ",", strings.Repeat("expired,", 20) + "expired"} {
		_, err := ParseScenario(text)
		assert.ErrorContains(t, err, "a scenario is", text)
		assert.Contains(t, ask(t, Options{}, Token, text).Body.String(), "INVALID_QUERY", text)
		assert.Contains(t, ask(t, Options{}, ScenarioToken(Token, text), "").Body.String(), "INVALID_QUERY", text)
	}
}

// A scenario is no way past the token.
func TestScenario_NeedsTheToken(t *testing.T) {
	for _, token := range []string{ScenarioToken(strings.Repeat("0", 32), "life=10s"), Token + "3f", Token + "00", ScenarioToken("", "life=10s")} {
		got := ask(t, Options{}, token, "")
		if token == Token+"3f" { // of the scenario that is none
			assert.Equal(t, http.StatusOK, got.Code)
			continue
		}
		assert.Contains(t, got.Body.String(), "BAD_API_TOKEN", token)
	}
}

func TestScenario_ASlowAnswerComesLateAndEndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		assert.Equal(t, http.StatusOK, ask(t, Options{}, Token, "slow=2s").Code)
		assert.Equal(t, 2*time.Second, time.Since(begun))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/job/info", nil)
		r.Header.Set(ScenarioHeader, "slow=1m")
		begun = time.Now()
		New(Options{}).ServeHTTP(httptest.NewRecorder(), r)
		assert.Equal(t, time.Second, time.Since(begun))
	})
}

// A list tells jobs as their infos do.
func TestScenario_OfAList(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/job/list?v=1&api_token="+Token, nil)
	r.Header.Set(ScenarioHeader, "media-failure")
	w := httptest.NewRecorder()
	New(Options{}).ServeHTTP(w, r)
	assert.Contains(t, w.Body.String(), DocumentedJobID)
	assert.Equal(t, strings.Count(w.Body.String(), `"JobStatus":`), strings.Count(w.Body.String(), `"JobStatus":"Media Failure"`))
}

func TestScenario_ALifeMoves(t *testing.T) {
	now := time.Now()
	server := New(Options{Now: func() time.Time { return now }, Scenario: parsed(t, "life=10s")})
	var seen []string
	for range 10 {
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/job/info?v=1&api_token="+Token+"&job_id="+DocumentedJobID, nil))
		seen = append(seen, decode(w.Body.Bytes()).JobStatus)
		now = now.Add(time.Second)
	}
	assert.Equal(t, []string{"Authorizing", "Pending", "Pending", "In Process", "In Process", "In Process", "Reviewing", "Complete", "Complete", "Complete"}, seen)
}
