package web

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/felixge/httpsnoop"
)

// accessLog writes a line for each request when it is done. Neither the query
// string nor any header is in it: both may carry what is not ours to keep.
func accessLog(logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		done := httpsnoop.CaptureMetrics(next, w, r)
		logger.LogAttrs(r.Context(), slog.LevelInfo, "request",
			slog.String("method", r.Method),
			slog.String("path", loggedPath(r.URL.Path)),
			slog.Int("status", done.Code),
			slog.Int64("bytes", done.Written),
			slog.Duration("took", done.Duration),
			slog.String("remote", r.RemoteAddr),
		)
	})
}

// loggedPath leaves the signed part of a callback's path out.
func loggedPath(path string) string {
	if before, _, found := strings.Cut(path, callbacksPath); found {
		return before + callbacksPath + "…"
	}
	return path
}
