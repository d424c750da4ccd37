package upstream

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	canary = "c0ffee1234abcdef5678c0ffee123456"
	anID   = "64bea283eff6475ea6596027a6ba0929"
)

// recorder is an upstream that gives one answer and keeps what it was asked.
type recorder struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
}

func record(t *testing.T, handler http.HandlerFunc) *recorder {
	r := &recorder{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.mu.Lock()
		r.requests = append(r.requests, request.Clone(context.Background()))
		r.mu.Unlock()
		handler(w, request)
	}))
	t.Cleanup(r.Close)
	return r
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func client(t *testing.T, url string, opts Options) *Client {
	t.Helper()
	c, err := New(url, opts)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// failedJob asks for a job that cannot be had, and checks what no error may hold.
func failedJob(t *testing.T, c *Client, token, id string) *Error {
	t.Helper()
	job, err := c.Job(t.Context(), NewRequest(token, id))
	require.Error(t, err)
	assert.Nil(t, job)
	var failed *Error
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, id, failed.JobID)
	text := err.Error()
	if cause := errors.Unwrap(failed); cause != nil {
		text += cause.Error()
	}
	assert.NotContains(t, text, canary[:8])
	assert.NotContains(t, text, "api_token")
	assert.True(t, errors.Is(err, &Error{Type: failed.Type}))
	return failed
}

func TestClient_JobAsksAsDocumented(t *testing.T) {
	upstream := record(t, answer(200, string(documented(t))))
	job, err := client(t, upstream.URL, Options{}).Job(t.Context(), NewRequest(canary, anID))
	require.NoError(t, err)
	assert.Equal(t, "example_job", *job.Name())
	require.Len(t, upstream.requests, 1)
	request := upstream.requests[0]
	assert.Equal(t, http.MethodGet, request.Method)
	assert.Equal(t, "/api/job/info?v=1&api_token="+canary+"&job_id="+anID, request.URL.RequestURI())
	assert.Empty(t, request.Header.Get("Referer"))
}

func TestClient_JobKeepsTheBasePath(t *testing.T) {
	upstream := record(t, answer(200, string(documented(t))))
	_, err := client(t, upstream.URL+"/behind/a/proxy/", Options{}).Job(t.Context(), NewRequest(canary, anID))
	require.NoError(t, err)
	assert.Equal(t, "/behind/a/proxy/api/job/info", upstream.requests[0].URL.Path)
}

func TestClient_WhatCannotBeATokenOrAnIDNeverLeaves(t *testing.T) {
	upstream := record(t, answer(200, string(documented(t))))
	c := client(t, upstream.URL, Options{})
	for _, bad := range []string{"", "xyz", "12 34", "12&v=2", "12\r\n", "é", strings.Repeat("a", 257)} {
		assert.Equal(t, InvalidQuery, failedJob(t, c, canary, bad).Type, "id %q", bad)
		assert.Equal(t, BadAPIToken, failedJob(t, c, bad, anID).Type, "token %q", bad)
	}
	assert.Empty(t, upstream.requests)
	_, err := c.Job(t.Context(), NewRequest(strings.Repeat("a", 256), strings.Repeat("b", 256)))
	require.NoError(t, err)
}

func TestClient_Refusals(t *testing.T) {
	documentedError := func(errorType string) string {
		return `{"ErrorType": "` + errorType + `", "ErrorComment": "What is wrong."}`
	}
	types := []ErrorType{LoginInvalid, AccountExists, AccountUnprivileged, BadAPIToken, InvalidQuery,
		InvalidOption, MissingParameter, InvalidURL, ItemNotFound}
	for _, errorType := range types {
		failed := failedJob(t, client(t, record(t, answer(400, documentedError(string(errorType)))).URL, Options{}), canary, anID)
		assert.Equal(t, errorType, failed.Type)
		assert.Equal(t, string(errorType), *failed.UpstreamType)
		assert.Equal(t, "What is wrong.", failed.Comment)
		assert.Equal(t, 400, failed.Status)
		assert.False(t, failed.Retryable())
	}
	failed := failedJob(t, client(t, record(t, answer(400, documentedError("NEW_KIND"))).URL, Options{}), canary, anID)
	assert.EqualValues(t, Unrecognized, failed.Type)
	assert.Equal(t, "NEW_KIND", *failed.UpstreamType)

	for _, c := range []struct {
		status    int
		body      string
		want      ErrorType
		retryable bool
	}{
		{400, "<html>", Malformed, true},
		{400, "", Malformed, true},
		{400, `{"ErrorComment": "x"}`, Malformed, true},
		{401, "", BadAPIToken, false},
		{401, documentedError("LOGIN_INVALID"), LoginInvalid, false},
		{403, "<html>", AccountUnprivileged, false},
		{404, "<html>", Malformed, true},
		{404, documentedError("ITEM_NOT_FOUND"), ItemNotFound, false},
		{408, "", Timeout, true},
		{418, "", Malformed, true},
		{429, documentedError("BAD_API_TOKEN"), RateLimited, true},
		{500, documentedError("BAD_API_TOKEN"), Unavailable, true},
		{502, "<html>", Unavailable, true},
		{503, "", Unavailable, true},
		{504, "null", Unavailable, true},
		{204, "", Malformed, true},
		{201, `{}`, Malformed, true},
	} {
		failed := failedJob(t, client(t, record(t, answer(c.status, c.body)).URL, Options{}), canary, anID)
		assert.Equal(t, c.want, failed.Type, "%d %s", c.status, c.body)
		assert.Equal(t, c.retryable, failed.Retryable(), "%d %s", c.status, c.body)
		assert.Equal(t, c.status, failed.Status)
		assert.NotEmpty(t, failed.Comment)
	}
}

func TestClient_AMalformedBodyIsNotQuoted(t *testing.T) {
	body := `{"JobId": "aa", "JobStatus": "Pending", "token ` + canary + `": 1, "JobName": 7}`
	failed := failedJob(t, client(t, record(t, answer(200, body)).URL, Options{}), canary, anID)
	assert.Equal(t, Malformed, failed.Type)
	assert.Equal(t, 200, failed.Status)
}

func TestClient_ABodyIsBoundedAfterDecompression(t *testing.T) {
	job := func(size int) string {
		return `{"JobId": "aa", "JobStatus": "Pending", "JobName": "` + strings.Repeat("x", size) + `"}`
	}
	zipped := func(body string) http.HandlerFunc {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, body)
		_ = z.Close()
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(b.Bytes())
		}
	}
	for name, handler := range map[string]http.HandlerFunc{
		"plain": answer(200, job(1<<20)), "gzip": zipped(job(50 << 20)),
	} {
		failed := failedJob(t, client(t, record(t, handler).URL, Options{}), canary, anID)
		assert.Equal(t, Malformed, failed.Type, name)
	}
	got, err := client(t, record(t, zipped(job(1000<<10))).URL, Options{}).Job(t.Context(), NewRequest(canary, anID))
	require.NoError(t, err)
	assert.Len(t, *got.Name(), 1000<<10)
}

// An endless body is no more of an answer than its first bytes.
func TestClient_AnEndlessBodyIsNotReadWhole(t *testing.T) {
	const end = 64 << 20
	for name, opts := range map[string]Options{"http1": {}, "net/http": {UseProxy: true}} {
		written := make(chan int, 1)
		api := record(t, func(w http.ResponseWriter, _ *http.Request) {
			sum, piece := 0, bytes.Repeat([]byte(" "), 1<<20)
			for n, err := 0, error(nil); err == nil && sum < end; sum += n {
				n, err = w.Write(piece)
			}
			written <- sum
		})
		failed := failedJob(t, client(t, api.URL, opts), canary, anID)
		assert.Equal(t, Malformed, failed.Type, name)
		assert.Less(t, <-written, end, name)
	}
}

func TestClient_RedirectsAreNotFollowed(t *testing.T) {
	second := record(t, answer(200, string(documented(t))))
	for _, status := range []int{301, 302, 303, 307, 308} {
		first := record(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, second.URL+r.URL.RequestURI(), status)
		})
		failed := failedJob(t, client(t, first.URL, Options{}), canary, anID)
		assert.Equal(t, Malformed, failed.Type)
		assert.Equal(t, status, failed.Status)
	}
	assert.Empty(t, second.requests)
}

func TestClient_ATokenThatUpstreamRepeatsIsRedacted(t *testing.T) {
	for _, comment := range []string{canary, strings.ToUpper(canary), "token=" + canary + "!", canary[4:20], "x" + canary[24:]} {
		body := `{"ErrorType": "BAD_API_TOKEN", "ErrorComment": "Wrong: ` + comment + ` for ` + anID + `"}`
		failed := failedJob(t, client(t, record(t, answer(400, body)).URL, Options{}), canary, anID)
		assert.Contains(t, failed.Comment, "[redacted]", comment)
		assert.Contains(t, failed.Comment, anID)
		assert.NotContains(t, strings.ToLower(failed.Comment), canary[6:14], comment)
	}
}

func TestClient_ATokenThatUpstreamRepeatsEncodedIsRedacted(t *testing.T) {
	percent := ""
	for _, c := range []byte(canary) {
		percent += fmt.Sprintf("%%%02X", c)
	}
	for _, comment := range []string{
		base64.StdEncoding.EncodeToString([]byte(canary)), base64.URLEncoding.EncodeToString([]byte("x" + canary)),
		"ab" + base64.RawStdEncoding.EncodeToString([]byte("yz"+canary)), percent, hex.EncodeToString([]byte(canary)),
	} {
		body := `{"ErrorType": "BAD_API_TOKEN", "ErrorComment": "Wrong: ` + comment + ` for ` + anID + `"}`
		failed := failedJob(t, client(t, record(t, answer(400, body)).URL, Options{}), canary, anID)
		assert.Regexp(t, `^Wrong: \[redacted\]=* for `+anID+`$`, failed.Comment, comment)
	}
}

func TestClient_ALongCommentIsCutAndOneLine(t *testing.T) {
	body := `{"ErrorType": "INVALID_QUERY", "ErrorComment": "a\n\u0000b` + strings.Repeat("é", 5000) + `"}`
	failed := failedJob(t, client(t, record(t, answer(400, body)).URL, Options{}), canary, anID)
	assert.LessOrEqual(t, len(failed.Comment), maxText+len("…"))
	assert.True(t, strings.HasPrefix(failed.Comment, "a  b"), failed.Comment)
}

func TestClient_TheDeadlineHolds(t *testing.T) {
	release := make(chan struct{})
	hang := record(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	failed := failedJob(t, client(t, hang.URL, Options{Timeout: 30 * time.Millisecond}), canary, anID)
	assert.Equal(t, Timeout, failed.Type)
	assert.True(t, failed.Retryable())
}

func TestClient_ACallerWhoLeavesStopsTheCall(t *testing.T) {
	arrived, stopped := make(chan struct{}), make(chan struct{})
	hang := record(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(stopped)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	_, err := client(t, hang.URL, Options{}).Job(ctx, NewRequest(canary, anID))
	assert.ErrorIs(t, err, context.Canceled)
	assert.NotContains(t, err.Error(), canary)
	<-stopped
}

func TestClient_Unreachable(t *testing.T) {
	closed := record(t, nil)
	closed.Close()
	failed := failedJob(t, client(t, closed.URL, Options{}), canary, anID)
	assert.Equal(t, Unavailable, failed.Type)
	assert.Zero(t, failed.Status)
}

func TestClient_HTTP2IsUsedWhereUpstreamSpeaksIt(t *testing.T) {
	var protocol string
	var connections atomic.Int32
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocol = r.Proto
		_, _ = w.Write(documented(t))
	}))
	upstream.EnableHTTP2 = true
	upstream.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	upstream.StartTLS()
	defer upstream.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(upstream.Certificate())
	c := client(t, upstream.URL, Options{RootCAs: trusted})
	for range 3 {
		_, err := c.Job(t.Context(), NewRequest(canary, anID))
		require.NoError(t, err)
		assert.Equal(t, "HTTP/2.0", protocol)
	}
	assert.EqualValues(t, 2, connections.Load(), "the first one found out, the second one is used from then on")
}

func TestClient_AProxyIsUsedOnlyWhenConfigured(t *testing.T) {
	// net/http reads the environment once a process, so the test looks at what it would ask.
	assert.Nil(t, newTransport(1, Options{}).Proxy)
	assert.NotNil(t, newTransport(1, Options{UseProxy: true}).Proxy)
}

// TestClient_ByNetHTTP holds for the other way to ask, which a proxy needs, what the other
// tests hold for http1.
func TestClient_ByNetHTTP(t *testing.T) {
	byNetHTTP := Options{UseProxy: true}
	upstream := record(t, answer(200, string(documented(t))))
	job, err := client(t, upstream.URL, byNetHTTP).Job(t.Context(), NewRequest(canary, anID))
	require.NoError(t, err)
	assert.Equal(t, "example_job", *job.Name())
	assert.Equal(t, "/api/job/info?v=1&api_token="+canary+"&job_id="+anID, upstream.requests[0].URL.RequestURI())
	assert.Equal(t, "jobgraph", upstream.requests[0].UserAgent())

	long := record(t, answer(200, strings.Repeat(" ", maxBody+1)))
	assert.Equal(t, Malformed, failedJob(t, client(t, long.URL, byNetHTTP), canary, anID).Type)
	second := record(t, nil)
	redirect := record(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, second.URL+r.URL.RequestURI(), http.StatusFound)
	})
	assert.Equal(t, 302, failedJob(t, client(t, redirect.URL, byNetHTTP), canary, anID).Status)
	assert.Empty(t, second.requests)
	limited := record(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	assert.Equal(t, 7*time.Second, failedJob(t, client(t, limited.URL, byNetHTTP), canary, anID).RetryAfter)
	hang := record(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	brief := Options{UseProxy: true, Timeout: 50 * time.Millisecond}
	assert.Equal(t, Timeout, failedJob(t, client(t, hang.URL, brief), canary, anID).Type)
	hang.Close()
	assert.Equal(t, Unavailable, failedJob(t, client(t, hang.URL, byNetHTTP), canary, anID).Type)
}

// TestClient_AnAnswerWithoutABodyEndsItsConnection holds for both ways to ask.
func TestClient_AnAnswerWithoutABodyEndsItsConnection(t *testing.T) {
	for _, status := range []int{200, 204, 304} {
		for _, opts := range []Options{{}, {UseProxy: true}} {
			upstream := record(t, answer(status, ""))
			c := client(t, upstream.URL, opts)
			failedJob(t, c, canary, anID)
			failedJob(t, c, canary, anID)
			require.Len(t, upstream.requests, 2)
			same := upstream.requests[0].RemoteAddr == upstream.requests[1].RemoteAddr
			assert.Equal(t, status == 200, same, "%d, one connection, %+v", status, opts)
		}
	}
}

func TestClient_CallsUnderWayAreBounded(t *testing.T) {
	var mu sync.Mutex
	now, most := 0, 0
	upstream := record(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		time.Sleep(time.Millisecond) // long enough for others to overlap, were they let
		mu.Lock()
		now--
		mu.Unlock()
		_, _ = w.Write(documented(t))
	})
	c := client(t, upstream.URL, Options{Concurrency: 3})
	var wait sync.WaitGroup
	for i := range 30 {
		wait.Go(func() {
			_, err := c.Job(t.Context(), NewRequest(canary, strings.Repeat("a", i+1)))
			assert.NoError(t, err)
		})
	}
	wait.Wait()
	assert.LessOrEqual(t, most, 3)
	assert.Len(t, upstream.requests, 30)
}

func TestClient_AnUnknownEnumValueIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	upstream := record(t, answer(200, `{"JobId": "aa", "JobStatus": "Paused"}`))
	c := client(t, upstream.URL, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 3 {
		_, err := c.Job(t.Context(), NewRequest(canary, anID))
		require.NoError(t, err)
	}
	assert.Equal(t, 1, strings.Count(log.String(), "Paused"), log.String())
}

func TestClient_NewRefusesAnAddressThatIsNone(t *testing.T) {
	for _, address := range []string{"", "api.cielo24.com", "ftp://api.cielo24.com", "https://", "http://h:99999", "http://h:0", "http://:80", "https://u:" + canary + "@h", "https://h?x=" + canary, "https://h/%zz" + canary} {
		_, err := New(address, Options{})
		require.Error(t, err, address)
		assert.NotContains(t, err.Error(), canary[:8])
	}
}

func TestClient_TheTransportsOwnLogIsCutBeforeUpstreamsBytes(t *testing.T) {
	var log bytes.Buffer
	w := TransportLog(slog.New(slog.NewTextHandler(&log, nil)))
	_, _ = w.Write([]byte(`Unsolicited response received on idle HTTP channel starting with "HTTP/1.1 200 ` + canary + `"; err=<nil>`))
	assert.Contains(t, log.String(), "Unsolicited response")
	assert.NotContains(t, log.String(), canary[:8])
}
