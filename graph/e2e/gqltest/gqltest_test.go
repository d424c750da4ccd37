package gqltest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"jobgraph/graph/e2e/gqltest"
)

// failing is a test that keeps its failures for itself.
type failing struct {
	testing.TB
	failures int
}

func (f *failing) Errorf(string, ...any) { f.failures++ }

func TestPost_SendsTheBytesAndReadsTheAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, `{"data": {"a": 1}, "errors": [{"message": %q, "extensions": {"code": %q}}]}`,
			r.Method+" "+string(body), r.Header.Get("Content-Type")+" "+r.Header.Get("X-Own"))
	}))
	defer server.Close()
	answer := gqltest.Post(t, server.URL, "bytes", "X-Own", "own")
	assert.Equal(t, http.StatusTeapot, answer.Status)
	assert.Equal(t, `{"a": 1}`, answer.Data())
	assert.Equal(t, "POST bytes", answer.Message())
	assert.Equal(t, "application/json own", answer.Code())
	assert.Equal(t, "text/plain own", gqltest.Post(t, server.URL, "", "Content-Type", "text/plain", "X-Own", "own").Code())
	assert.Equal(t, " ", gqltest.Get(t, server.URL).Code())
	assert.Equal(t, `POST {"query":"{ a }","variables":{"b":1}}`, gqltest.Query(t, server.URL, "{ a }", map[string]any{"b": 1}).Message())
}

func TestAnswer_NullIsNotAbsent(t *testing.T) {
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	defer echo.Close()
	assert.Equal(t, "null", gqltest.Post(t, echo.URL, `{"data": null}`).Data())
	assert.Equal(t, "", gqltest.Post(t, echo.URL, `{"errors": []}`).Data())
}

func TestAnswer_AMistakeFailsTheTest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "no JSON") }))
	f := &failing{TB: t}
	answer := gqltest.Get(f, server.URL)
	assert.Equal(t, "no JSON", answer.Body)
	assert.Zero(t, f.failures)
	assert.Empty(t, answer.Code())
	assert.Equal(t, 1, f.failures, "a body that is no JSON")
	server.Close()
	assert.Zero(t, gqltest.Get(f, server.URL).Status)
	assert.Equal(t, 2, f.failures, "no answer")
}
