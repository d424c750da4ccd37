// Package gqltest sends GraphQL over HTTP in tests and reads the answers whole.
package gqltest

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Answer is an HTTP response that was read to its end. Its zero value is that of a request
// which failed.
type Answer struct {
	Status int
	Header http.Header
	Body   string

	t testing.TB
}

// Error is one of the errors of a GraphQL response.
type Error struct {
	Message    string
	Path       []any
	Locations  []map[string]int
	Extensions map[string]any
}

type response struct {
	Data   json.RawMessage
	Errors []Error
}

// Query posts a query text and its variables, nil for none. Headers are names and values in
// turn, here and below.
func Query(t testing.TB, url, query string, variables map[string]any, headers ...string) Answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	require.NoError(t, err)
	return Post(t, url, string(body), headers...)
}

// Post posts a body as it is, as application/json where no header says otherwise.
func Post(t testing.TB, url, body string, headers ...string) Answer {
	t.Helper()
	return Do(t, Request(t, http.MethodPost, url, body, slices.Concat([]string{"Content-Type", "application/json"}, headers)...))
}

// Get gets any address, of GraphQL or not.
func Get(t testing.TB, url string, headers ...string) Answer {
	t.Helper()
	return Do(t, Request(t, http.MethodGet, url, "", headers...))
}

// Request is a request with these headers and no others, which the test's end cancels.
func Request(t testing.TB, method, url, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// Do sends the request. Where no answer comes the test has failed and goes on: any goroutine
// may call it, and one that waits for the answer gets one.
func Do(t testing.TB, r *http.Request) Answer {
	t.Helper()
	answer, err := Send(r)
	assert.NoError(t, err)
	answer.t = t
	return answer
}

// Send is Do for a request that may fail. Of a connection that changes its protocol it reads
// no body, and closes it.
func Send(r *http.Request) (Answer, error) {
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	answer := Answer{Status: response.StatusCode, Header: response.Header}
	if response.StatusCode == http.StatusSwitchingProtocols {
		return answer, nil
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, err
	}
	answer.Body = string(body)
	return answer, nil
}

// Open sends the request and ends the test where the status is not 200. The body, such as an
// event stream, is the caller's to read; the test's end closes it.
func Open(t testing.TB, r *http.Request) *http.Response {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	require.Equal(t, http.StatusOK, response.StatusCode)
	return response
}

// Data is the JSON text of data, "" where there is none. A body that is no JSON fails the
// test, here and below.
func (a Answer) Data() string {
	a.t.Helper()
	return string(a.response().Data)
}

// Errors are all errors.
func (a Answer) Errors() []Error {
	a.t.Helper()
	return a.response().Errors
}

// Code is extensions.code of the first error, "" where there is none.
func (a Answer) Code() string {
	a.t.Helper()
	code, _ := a.first().Extensions["code"].(string)
	return code
}

// Message is the text of the first error, "" where there is none.
func (a Answer) Message() string {
	a.t.Helper()
	return a.first().Message
}

func (a Answer) first() Error {
	a.t.Helper()
	return append(a.Errors(), Error{})[0]
}

func (a Answer) response() (got response) {
	a.t.Helper()
	assert.NoError(a.t, json.Unmarshal([]byte(a.Body), &got), "%.1000s", a.Body)
	return got
}
