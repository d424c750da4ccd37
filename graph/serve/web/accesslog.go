package web

import (
	"cmp"
	"log/slog"
	"net/http"
	"slices"
	"time"
)

// accessLog writes a line for each request when it is done. It holds nothing that
// the caller wrote freely, where a token may stand by mistake: the route instead of
// the path, no query string, no header, and no method that HTTP does not name.
func accessLog(logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !logger.Enabled(r.Context(), slog.LevelInfo) {
			next.ServeHTTP(w, r)
			return
		}
		begun := time.Now()
		response := &recorder{ResponseWriter: w}
		next.ServeHTTP(response, r)
		logRequest(logger, r, response, begun)
	})
}

// logRequest has a frame of its own: that of the middleware is on the stack of whoever waits in it.
func logRequest(logger *slog.Logger, r *http.Request, response *recorder, begun time.Time) {
	done := time.Now()
	// Straight to the handler: the logger would look up the caller's file and line
	// for each request, and nobody sees them.
	line := slog.NewRecord(done, slog.LevelInfo, "request", 0)
	line.AddAttrs(
		slog.String("method", knownMethod(r.Method)),
		slog.String("route", r.Pattern),
		slog.Int("status", response.status()),
		slog.Int64("bytes", response.bytes),
		slog.Duration("took", done.Sub(begun)),
		slog.String("remote", r.RemoteAddr),
	)
	_ = logger.Handler().Handle(r.Context(), line) // the log has nowhere to say that it failed
}

// recorder sees an answer's status and its bytes go by. Flushing, deadlines and
// hijacking are reached through Unwrap.
type recorder struct {
	http.ResponseWriter
	code  int
	bytes int64
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(code int) {
	if r.code == 0 && (code >= http.StatusOK || code == http.StatusSwitchingProtocols) { // other 1xx come before an answer
		r.code = code
	}
	r.ResponseWriter.WriteHeader(code)
}

func (r *recorder) Write(p []byte) (int, error) {
	r.code = r.status()
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// status is 200 where the handler wrote none, as net/http has it.
func (r *recorder) status() int { return cmp.Or(r.code, http.StatusOK) }

func knownMethod(method string) string {
	known := []string{http.MethodGet, http.MethodPost, http.MethodOptions, http.MethodHead,
		http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodTrace, http.MethodConnect}
	if slices.Contains(known, method) {
		return method
	}
	return "OTHER"
}
