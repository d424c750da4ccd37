package web

import (
	"net/http"
	"sync/atomic"
	"time"

	"jobgraph/graph/budget"
)

const (
	// progressUnit is how many bytes of an answer must be taken by its reader within
	// progressTimeout.
	progressUnit    = 64 << 10
	progressTimeout = 10 * time.Second
)

// withWriteProgress closes the connection of a reader that has stopped reading, or that
// is too slow for the whole answer, see [budget.Pace]. A handler that writes with
// pauses, as event streams do, sets deadlines of its own.
func withWriteProgress(timeout time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := r.Body.(*eofNotifier)
		next.ServeHTTP(&progressWriter{ResponseWriter: w, timeout: timeout, body: body}, r)
	})
}

// progressWriter writes in units, each with a deadline.
type progressWriter struct {
	http.ResponseWriter
	timeout   time.Duration
	body      *eofNotifier // nil: there is none, or the answer has begun
	pace      budget.Pace
	remaining int         // bytes of the unit under way
	own       atomic.Bool // the handler sets the deadlines, from any goroutine
}

func (w *progressWriter) WriteHeader(status int) {
	w.begin()
	w.ResponseWriter.WriteHeader(status)
}

func (w *progressWriter) Write(p []byte) (written int, err error) {
	for {
		w.begin()
		unit := p[:min(len(p), w.remaining)]
		n, err := w.ResponseWriter.Write(unit)
		written, w.remaining = written+n, w.remaining-n
		if p = p[len(unit):]; err != nil || len(p) == 0 {
			return written, err
		}
	}
}

// begin begins a unit where the last one is full.
func (w *progressWriter) begin() {
	if w.remaining > 0 {
		return
	}
	w.remaining = progressUnit
	if w.body != nil {
		w.body.limitRest(w.ResponseWriter)
		w.body = nil
	}
	if !w.own.Load() {
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(w.pace.Deadline(progressUnit, w.timeout))
	}
}

// SetWriteDeadline is [http.ResponseController]'s.
func (w *progressWriter) SetWriteDeadline(deadline time.Time) error {
	w.own.Store(true)
	return http.NewResponseController(w.ResponseWriter).SetWriteDeadline(deadline)
}

// Unwrap is [http.ResponseController]'s.
func (w *progressWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
