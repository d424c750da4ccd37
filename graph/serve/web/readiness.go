package web

import (
	"net/http"
	"sync/atomic"
)

// Readiness says whether this process wants new work. The zero value does.
type Readiness struct{ notReady atomic.Bool }

// SetNotReady makes every later answer 503, so that a load balancer sends nothing more.
func (r *Readiness) SetNotReady() { r.notReady.Store(true) }

func (r *Readiness) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if r.notReady.Load() {
		writeText(w, http.StatusServiceUnavailable, "shutting down\n")
		return
	}
	writeText(w, http.StatusOK, "ready\n")
}
