// Package admin is the operator's address: metrics and profiles. It is not for
// the public: it listens on the loopback interface unless told otherwise.
package admin

import (
	"net/http"
	"net/http/pprof"
)

// New returns the operator's handler: /metrics and /debug/pprof/.
func New(metrics *Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.handler())
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	// No /debug/pprof/cmdline: a token may stand on the command line.
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
