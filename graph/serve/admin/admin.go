// Package admin is the operator's address: metrics and profiles. It is not for
// the public: it listens on the loopback interface unless told otherwise.
package admin

import (
	"net/http"
	"net/http/pprof"
	"strings"

	"jobgraph/graph/serve/web"
)

// New returns the operator's handler: /metrics and /debug/pprof/. Pages of the web
// that an operator looks at reach a loopback address too: a request is answered only
// where it is called as localhost or by IP address, and not where a browser says that
// a page of another site sent it.
func New(metrics *Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.handler())
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	// No /debug/pprof/cmdline: a token may stand on the command line.
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return web.Hosts{}.Middleware(withoutOtherSites(mux))
}

func withoutOtherSites(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Header.Get("Sec-Fetch-Site"), "cross-site") {
			http.Error(w, "Pages of other sites may not ask this address. Open it by hand.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
