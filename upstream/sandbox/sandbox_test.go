package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream/sandbox"
)

// published is the documentation's example response, with the comma after Options that makes it no strict JSON. It
// stands here a second time so that a change to the embedded file is seen.
const published = `{
    "JobId": "d4fb871e07514304b23131b45f8caa1f",
    "JobName": "example_job",
    "MediaLengthSeconds": 607.81,
    "ExternalID": "sample_id",
    "Priority": "STANDARD",
    "Fidelity": "MECHANICAL",
    "JobStatus": "Complete",
    "SourceLanguage": "en",
    "TargetLanguage": "en",
    "CreationDate": "2014-08-27T14:00:06.472706",
    "StartDate": "2014-08-27T14:00:06.472706",
    "DueDate": "2014-08-29T14:00:06.472706",
    "CompletedDate": "2014-08-27T14:10:41.923125",
    "ReturnDate": "2014-08-27T14:10:42.885185",
    "ReturnTargets": {
        "url": [
            {
                "callback_url": "https://sample-url.com/return/"
            },
            {
                "callback_url": "https://sample-url-2.com/return/"
            }
        ]
    },
    "Options": {},
}
`

// reply is what a client sees.
type reply struct {
	status int
	header http.Header
	body   string
}

func serve(t *testing.T, now func() time.Time) *httptest.Server {
	t.Helper()
	return serveWith(t, sandbox.Options{Now: now})
}

func serveWith(t *testing.T, opts sandbox.Options) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(sandbox.New(opts))
	t.Cleanup(server.Close)
	return server
}

func send(t *testing.T, method, address string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	require.NoError(t, err)
	// RoundTrip rather than a client: a redirect must be seen, not followed.
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return reply{response.StatusCode, response.Header, string(body)}
}

// ask gets a job with the right parameters.
func ask(t *testing.T, server *httptest.Server, id string) reply {
	t.Helper()
	query := url.Values{"v": {"1"}, "api_token": {sandbox.Token}, "job_id": {id}}
	return send(t, http.MethodGet, server.URL+"/api/job/info?"+query.Encode())
}

// decode is for the bodies that are strict JSON, all but the documented one.
func decode(t *testing.T, body string) map[string]any {
	t.Helper()
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &fields), body)
	return fields
}

func TestSandbox_ConstantsAreThePublishedOnes(t *testing.T) {
	assert.Equal(t, "7ca5dc5c7cce449fb0fff719307e8f5f", sandbox.Token)
	assert.Equal(t, "d4fb871e07514304b23131b45f8caa1f", sandbox.DocumentedJobID)
	assert.Equal(t, "64bea283eff6475ea6596027a6ba0929", sandbox.ExampleRequestJobID)
}

func TestSandbox_DocumentedBodyIsServedByteForByte(t *testing.T) {
	server := serve(t, nil)
	for _, id := range []string{sandbox.DocumentedJobID, sandbox.ExampleRequestJobID} {
		t.Run(id, func(t *testing.T) {
			got := ask(t, server, id)
			assert.Equal(t, http.StatusOK, got.status)
			assert.Equal(t, "application/json", got.header.Get("Content-Type"))
			assert.Equal(t, published, got.body)
		})
	}
}

func TestSandbox_MethodsAndPaths(t *testing.T) {
	server := serve(t, nil)
	const query = "?v=1&api_token=" + sandbox.Token + "&job_id=" + sandbox.DocumentedJobID
	tests := []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/api/job/info", 200, ""},
		{"HEAD", "/api/job/info", 200, ""},
		{"POST", "/api/job/info", 405, "GET, HEAD"},
		{"PUT", "/api/job/info", 405, "GET, HEAD"},
		{"DELETE", "/api/job/info", 405, "GET, HEAD"},
		{"OPTIONS", "/api/job/info", 405, "GET, HEAD"},
		{"GET", "", 404, ""},
		{"GET", "/", 404, ""},
		{"GET", "/api/job/list", 200, ""},
		{"HEAD", "/api/job/list", 200, ""},
		{"POST", "/api/job/list", 405, "GET, HEAD"},
		{"GET", "/api/job/list/", 404, ""},
		{"GET", "/api/job/del", 404, ""},
		{"GET", "/api/job/info/", 404, ""},
		{"GET", "//api/job/info", 404, ""},
		{"POST", "/api/job/new", 404, ""},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			got := send(t, test.method, server.URL+test.path+query)
			assert.Equal(t, test.status, got.status)
			assert.Equal(t, test.allow, got.header.Get("Allow"))
			assert.Equal(t, "application/json", got.header.Get("Content-Type"))
			assert.NotContains(t, got.body, sandbox.Token)
			if test.status != http.StatusOK {
				assert.Equal(t, "INVALID_QUERY", decode(t, got.body)["ErrorType"])
			}
		})
	}
}

func TestSandbox_HeadHasTheHeadersOfGet(t *testing.T) {
	server := serve(t, nil)
	const path = "/api/job/info?v=1&api_token=" + sandbox.Token + "&job_id=" + sandbox.DocumentedJobID
	get, head := send(t, "GET", server.URL+path), send(t, "HEAD", server.URL+path)
	assert.Empty(t, head.body)
	assert.NotEmpty(t, get.header.Get("Content-Length"))
	assert.Equal(t, get.header.Get("Content-Length"), head.header.Get("Content-Length"))
}
