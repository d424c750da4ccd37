package web

import (
	"log/slog"
	"net/http"
	"slices"

	"github.com/felixge/httpsnoop"
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
		done := httpsnoop.CaptureMetrics(next, w, r)
		logger.LogAttrs(r.Context(), slog.LevelInfo, "request",
			slog.String("method", knownMethod(r.Method)),
			slog.String("route", r.Pattern),
			slog.Int("status", done.Code),
			slog.Int64("bytes", done.Written),
			slog.Duration("took", done.Duration),
			slog.String("remote", r.RemoteAddr),
		)
	})
}

func knownMethod(method string) string {
	known := []string{http.MethodGet, http.MethodPost, http.MethodOptions, http.MethodHead,
		http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodTrace, http.MethodConnect}
	if slices.Contains(known, method) {
		return method
	}
	return "OTHER"
}
