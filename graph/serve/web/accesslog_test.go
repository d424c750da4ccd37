package web_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/serve/logging"
	"jobgraph/graph/serve/web"
)

func TestAccessLog_TheLineOfARequest(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch string(body) {
		case "status":
			w.WriteHeader(http.StatusEarlyHints) // comes before the answer
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusOK) // too late
		case "upgrade":
			w.WriteHeader(http.StatusSwitchingProtocols)
		case "flush":
			_, _ = io.WriteString(w, "12")
			assert.NoError(t, http.NewResponseController(w).Flush())
			_, _ = io.WriteString(w, "345")
		}
	})
	for _, c := range []struct{ method, path, body, text, json string }{
		{"POST", "/graphql", "status", "method=POST route=/graphql status=418 bytes=0", `"method":"POST","route":"/graphql","status":418,"bytes":0`},
		{"POST", "/graphql", "upgrade", "method=POST route=/graphql status=101 bytes=0", `"method":"POST","route":"/graphql","status":101,"bytes":0`},
		{"POST", "/graphql", "flush", "method=POST route=/graphql status=200 bytes=5", `"method":"POST","route":"/graphql","status":200,"bytes":5`},
		{"PUT", "/graphql", "", "method=PUT route=/graphql status=200 bytes=0", `"method":"PUT","route":"/graphql","status":200,"bytes":0`},
		{"GET", "/healthz", "", `method=GET route="GET /healthz" status=200 bytes=3`, `"method":"GET","route":"GET /healthz","status":200,"bytes":3`},
		{"SECRET", "/secret?secret", "", `method=OTHER route="" status=404 bytes=19`, `"method":"OTHER","route":"","status":404,"bytes":19`},
	} {
		for _, json := range []bool{false, true} {
			var got bytes.Buffer
			logger, buffer := logging.New(&got, logging.Options{JSON: json})
			request := httptest.NewRequest(c.method, "http://localhost"+c.path, strings.NewReader(c.body))
			web.New(web.Options{GraphQL: handler, Readiness: &web.Readiness{}, Logger: logger}).ServeHTTP(httptest.NewRecorder(), request)
			require.NoError(t, buffer.Close())
			if json {
				assert.Regexp(t, `^\{"time":"[^"]+","level":"INFO","msg":"request",`+c.json+`,"took":\d+,"remote":"192\.0\.2\.1:1234"\}\n$`, got.String())
			} else {
				assert.Regexp(t, `^time=\S+ level=INFO msg=request `+c.text+` took=[0-9.]+[nµm]?s remote=192\.0\.2\.1:1234\n$`, got.String())
			}
		}
	}
}

func TestAccessLog_NoLineBelowTheLevel(t *testing.T) {
	var got bytes.Buffer
	logger, buffer := logging.New(&got, logging.Options{Level: slog.LevelWarn})
	handler := web.New(web.Options{GraphQL: http.NotFoundHandler(), Readiness: &web.Readiness{}, Logger: logger})
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://localhost/healthz", nil))
	require.NoError(t, buffer.Close())
	assert.Empty(t, got.String())
}
