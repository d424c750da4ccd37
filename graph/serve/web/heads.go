package web

import (
	"fmt"
	"net/http"
	"time"
)

// maxHeaderLines bounds the lines of a request's head. Each takes some hundred bytes, however
// short it is, so that a head of 32 KiB could hold half a megabyte. Browsers and proxies
// send some dozens.
const maxHeaderLines = 200

// tooManyLines is what the client is told.
var tooManyLines = fmt.Sprintf("The request has more than %d header lines. Send fewer.", maxHeaderLines)

// withShortHeads tells the connection what is behind the head, and refuses a request of too many
// lines, whose body is not waited for: nobody holds for long what net/http has made of them.
func withShortHeads(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, ok := r.Context().Value(connKey{}).(*headConn); ok {
			conn.expectBody(r.ContentLength)
		}
		lines := 0
		for _, values := range r.Header {
			lines += len(values)
		}
		if lines <= maxHeaderLines {
			next.ServeHTTP(w, r)
			return
		}
		r.Header = nil // the connection's end takes a moment
		_ = http.NewResponseController(w).SetReadDeadline(time.Now())
		w.Header().Set("Connection", "close")
		http.Error(w, tooManyLines, http.StatusRequestHeaderFieldsTooLarge)
	})
}
