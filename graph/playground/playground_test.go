package playground_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/playground"
)

func TestPlayground_Page(t *testing.T) {
	response := get(t, "/", "")

	assert.Equal(t, http.StatusOK, response.Code)
	assert.Equal(t, "text/html; charset=utf-8", response.Header().Get("Content-Type"))
	assert.Equal(t, "no-cache", response.Header().Get("Cache-Control"))
	assert.Contains(t, response.Body.String(), "<title>JobGraph</title>")
	assert.NotContains(t, response.Body.String(), "://", "an address of another host")
}

func TestPlayground_PageIsNotSentTwice(t *testing.T) {
	for _, encoding := range []string{"", "gzip"} {
		etag := get(t, "/", encoding).Header().Get("Etag")
		require.Regexp(t, `^"[^"]+"$`, etag, "strong")

		again := request(t, http.MethodGet, "/", http.Header{"Accept-Encoding": {encoding}, "If-None-Match": {etag}})
		assert.Equal(t, http.StatusNotModified, again.Code)
		assert.Empty(t, again.Body.String())
	}
}

func TestPlayground_EncodingsHaveDifferentETags(t *testing.T) {
	assert.NotEqual(t, get(t, "/", "").Header().Get("Etag"), get(t, "/", "gzip").Header().Get("Etag"))
}

// The page's own files, and by way of them what the scripts and style sheets load.
func TestPlayground_Assets(t *testing.T) {
	assets := reachable(t)
	require.Greater(t, len(assets), 10)

	kinds := map[string]bool{}
	size := get(t, "/", "gzip").Body.Len()
	for _, asset := range assets {
		response := get(t, asset, "gzip")
		require.Equal(t, http.StatusOK, response.Code, asset)
		assert.Equal(t, "public, max-age=31536000, immutable", response.Header().Get("Cache-Control"), asset)
		kinds[response.Header().Get("Content-Type")] = true
		size += response.Body.Len()
	}
	assert.Equal(t, map[string]bool{
		"text/javascript; charset=utf-8": true,
		"text/css; charset=utf-8":        true,
		"image/svg+xml":                  true,
		"font/ttf":                       true,
	}, kinds)
	assert.Less(t, size, 2<<20, "bytes compressed")
}

func TestPlayground_Licenses(t *testing.T) {
	response := get(t, "/licenses.md", "")

	assert.Equal(t, "text/markdown; charset=utf-8", response.Header().Get("Content-Type"))
	assert.Equal(t, "no-cache", response.Header().Get("Cache-Control"), "its name holds no hash")
	page := response.Body.String()
	assert.Equal(t, page, playground.Licenses())
	for _, name := range []string{
		"monaco-editor", "graphiql", "react-dom", "prettier", "dompurify", "@graphiql/plugin-explorer", "react-compiler-runtime",
		"picomatch-browser", // in a worker alone
		// What monaco-editor has copied into itself, and helpers of the bundler.
		"marked", "codicons", "Node.js path", "jsonc-parser", "vscode-json-languageservice", "vscode-languageserver-types",
		"vscode-languageserver-textdocument", "vscode-uri", "@vscode/l10n", "vite", "rolldown",
	} {
		assert.True(t, regexp.MustCompile(`(?m)^## `+name+` .*\n\n\S`).MatchString(page), "no heading and text of %s", name)
	}
}

// The copy of DOMPurify in monaco-editor has known ways through it: the released
// package is in its place, once.
func TestPlayground_DOMPurifyIsTheReleasedOne(t *testing.T) {
	pinned := regexp.MustCompile(`"dompurify": "([\d.]+)"`)
	packages, err := os.ReadFile("package.json")
	require.NoError(t, err)
	want := pinned.FindSubmatch(packages)
	require.NotNil(t, want)
	// It is set beside what the sanitizer has removed, whatever a minifier names them.
	version := regexp.MustCompile("\\.version=[`\"']([\\d.]+)[`\"'],\\w+$")
	var found []string
	for _, asset := range reachable(t) {
		pieces := strings.Split(get(t, asset, "").Body.String(), ".removed=[]")
		for _, before := range pieces[:len(pieces)-1] {
			if match := version.FindStringSubmatch(before[max(0, len(before)-64):]); match != nil {
				found = append(found, match[1])
			}
		}
	}
	assert.Equal(t, []string{string(want[1])}, found)
	assert.Contains(t, playground.Licenses(), "## dompurify - "+string(want[1])+" ")
}

func TestPlayground_Encoding(t *testing.T) {
	for _, test := range []struct {
		accept string
		gzip   bool
	}{
		{"", false},
		{"gzip", true},
		{"GZIP", true},
		{"br, gzip;q=0.5", true},
		{"gzip; q=1.0, *;q=0", true},
		{"*", true},
		{"br", false},
		{"gzip;q=0", false},
		{"gzip;q=0.000, *", false},
		{"*;q=0", false},
		{"gzipped", false},
	} {
		t.Run(test.accept, func(t *testing.T) {
			response := get(t, "/", test.accept)
			assert.Equal(t, "Accept-Encoding", response.Header().Get("Vary"))
			encoding, body := "", response.Body.Bytes()
			if test.gzip {
				encoding, body = "gzip", gunzip(t, body)
			}
			assert.Equal(t, encoding, response.Header().Get("Content-Encoding"))
			assert.Contains(t, string(body), "<title>")
		})
	}
}

func TestPlayground_Head(t *testing.T) {
	for _, encoding := range []string{"", "gzip"} {
		whole := get(t, "/", encoding)
		head := request(t, http.MethodHead, "/", http.Header{"Accept-Encoding": {encoding}})

		assert.Equal(t, http.StatusOK, head.Code)
		assert.Equal(t, whole.Header(), head.Header())
		assert.Regexp(t, `^\d+$`, head.Header().Get("Content-Length"))
		assert.Empty(t, head.Body.String())
	}
}

// A file is inflated once, however many ask for it and for however little of it.
func TestPlayground_FilesAreInflatedOnce(t *testing.T) {
	served := playground.Handler()
	paths := []string{"/", "/licenses.md"}
	built, err := os.ReadDir("dist/assets")
	require.NoError(t, err)
	for _, asset := range built {
		paths = append(paths, "/assets/"+strings.TrimSuffix(asset.Name(), ".gz"))
	}
	inflated := 0
	var requests []*http.Request
	for _, path := range paths {
		inflated += get(t, path, "").Body.Len()
		head := httptest.NewRequestWithContext(t.Context(), http.MethodHead, path, nil)
		part := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		part.Header.Set("Range", "bytes=0-0")
		requests = append(requests, head, part)
		served.ServeHTTP(nowhere{}, head) // inflates it
	}
	t.Logf("%d files are %d bytes inflated", len(paths), inflated)
	assert.Less(t, inflated, 8<<20, "what is kept of them in memory at most")

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range 2000 {
		served.ServeHTTP(nowhere{}, requests[i%len(requests)])
	}
	runtime.ReadMemStats(&after)
	each := (after.TotalAlloc - before.TotalAlloc) / 2000
	t.Logf("%d bytes allocated for each HEAD and each range", each)
	assert.Less(t, each, uint64(4<<10), "bytes allocated for each HEAD and each range")
}

// nowhere takes an answer and remembers nothing of it.
type nowhere http.Header

func (n nowhere) Header() http.Header          { return http.Header(n) }
func (nowhere) Write(body []byte) (int, error) { return len(body), nil }
func (nowhere) WriteHeader(int)                {}

func TestPlayground_RangesAreOfTheEncodingThatIsSent(t *testing.T) {
	for _, encoding := range []string{"", "gzip"} {
		whole := get(t, "/licenses.md", encoding).Body.String()
		part := request(t, http.MethodGet, "/licenses.md", http.Header{"Accept-Encoding": {encoding}, "Range": {"bytes=10-19"}})

		assert.Equal(t, http.StatusPartialContent, part.Code, encoding)
		assert.Equal(t, whole[10:20], part.Body.String(), encoding)
		assert.Equal(t, "10", part.Header().Get("Content-Length"), encoding)
	}
}

func TestPlayground_OtherMethods(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		response := request(t, method, "/", nil)
		assert.Equal(t, http.StatusMethodNotAllowed, response.Code, method)
		assert.Equal(t, "GET, HEAD", response.Header().Get("Allow"), method)
	}
}

func TestPlayground_UnknownPaths(t *testing.T) {
	for _, path := range []string{"/index.html", "/assets/", "/assets/index.js", "/dist/index.html.gz", "/../go.mod"} {
		assert.Equal(t, http.StatusNotFound, get(t, path, "").Code, path)
	}
}

func TestPlayground_SecurityHeaders(t *testing.T) {
	for name, response := range map[string]*httptest.ResponseRecorder{
		"page":    get(t, "/", ""),
		"file":    get(t, "/licenses.md", "gzip"),
		"unknown": get(t, "/unknown", ""),
		"method":  request(t, http.MethodPost, "/", nil),
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, []string{
				"default-src 'none'",
				"script-src 'self'",
				"worker-src 'self'",
				"style-src 'self' 'unsafe-inline'",
				"font-src 'self' data:",
				"img-src 'self' data:",
				"connect-src 'self'",
				"base-uri 'none'",
				"form-action 'none'",
				"frame-ancestors 'none'",
			}, strings.Split(response.Header().Get("Content-Security-Policy"), "; "))
			assert.Equal(t, "nosniff", response.Header().Get("X-Content-Type-Options"))
			assert.Equal(t, "no-referrer", response.Header().Get("Referrer-Policy"))
		})
	}
}

// reachable gives the assets that the page names, and those that they name in turn; they
// are looked for once.
func reachable(t *testing.T) []string {
	t.Helper()
	if len(assets) == 0 {
		assets = walk(t)
	}
	return assets
}

var assets []string

func walk(t *testing.T) []string {
	t.Helper()
	names := regexp.MustCompile(`(?:assets|\.)/([\w.-]+-[\w-]{8}\.(?:js|css|svg|ttf))\b`)
	var found []string
	queue := []string{"/"}
	for len(queue) > 0 {
		response := get(t, queue[0], "")
		require.Equal(t, http.StatusOK, response.Code, queue[0])
		queue = queue[1:]
		for _, name := range names.FindAllStringSubmatch(response.Body.String(), -1) {
			asset := "/assets/" + name[1]
			if !slices.Contains(found, asset) {
				found = append(found, asset)
				queue = append(queue, asset)
			}
		}
	}
	return found
}

var handler = sync.OnceValue(playground.Handler)

func get(t *testing.T, path, acceptEncoding string) *httptest.ResponseRecorder {
	t.Helper()
	return request(t, http.MethodGet, path, http.Header{"Accept-Encoding": {acceptEncoding}})
}

func request(t *testing.T, method, path string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	r.Header = header
	w := httptest.NewRecorder()
	handler().ServeHTTP(w, r)
	return w
}

func gunzip(t *testing.T, gzipped []byte) []byte {
	t.Helper()
	reader, err := gzip.NewReader(bytes.NewReader(gzipped))
	require.NoError(t, err)
	content, err := io.ReadAll(reader)
	require.NoError(t, err)
	return content
}
