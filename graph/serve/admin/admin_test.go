package admin_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"jobgraph/graph/serve/admin"
)

// A page of the web that the operator looks at reaches a loopback address as well, by
// a name of its own that points there or by asking across sites.
func TestNew_OtherSitesAreRefused(t *testing.T) {
	handler := admin.New(admin.NewMetrics())
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/profile?seconds=1"} {
		for name, c := range map[string]struct {
			host, site string
			status     int
		}{
			"a name":           {"rebound.example:8081", "same-origin", http.StatusMisdirectedRequest},
			"the public name":  {"captions.example.com", "", http.StatusMisdirectedRequest},
			"a page elsewhere": {"127.0.0.1:8081", "cross-site", http.StatusForbidden},
			"one in capitals":  {"localhost:8081", "Cross-Site", http.StatusForbidden},
			"both":             {"rebound.example", "cross-site", http.StatusMisdirectedRequest},
		} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			r.Host = c.host
			r.Header.Set("Sec-Fetch-Site", c.site)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			assert.Equal(t, c.status, w.Code, "%s: %s", path, name)
			assert.NotContains(t, w.Body.String(), "goroutine", "%s: %s", path, name)
		}
	}
}

func TestNew_TheOperatorIsAnswered(t *testing.T) {
	handler := admin.New(admin.NewMetrics())
	for _, host := range []string{"localhost:8081", "127.0.0.1:8081", "[::1]:8081", "10.0.0.7", ""} {
		for _, site := range []string{"", "none", "same-origin", "same-site"} {
			for path, want := range map[string]string{"/metrics": "go_goroutines", "/debug/pprof/": "goroutine"} {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
				r.Host = host
				if site != "" {
					r.Header.Set("Sec-Fetch-Site", site)
				}
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				assert.Equal(t, http.StatusOK, w.Code, "%s by %q, site %q", path, host, site)
				assert.Contains(t, w.Body.String(), want)
			}
		}
	}
}

// Each number that is watched is shown under its own name.
func TestMetrics_WatchShowsEachByItsName(t *testing.T) {
	metrics := admin.NewMetrics()
	metrics.Watch(func() int { return 7 }, func() int { return 3 })
	w := httptest.NewRecorder()
	admin.New(metrics).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/metrics", nil))
	assert.Contains(t, w.Body.String(), "\njobgraph_watched_jobs 7\n")
	assert.Contains(t, w.Body.String(), "\njobgraph_live_connections 3\n")
}
