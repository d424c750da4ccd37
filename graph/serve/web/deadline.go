package web

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// withoutReadDeadline takes the server's read deadline away once the request has
// arrived whole. It is meant for slow senders; left in place it would end every
// answer that takes longer, and every stream.
func withoutReadDeadline(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lift := func() { _ = http.NewResponseController(w).SetReadDeadline(time.Time{}) }
		if r.Body == nil || r.Body == http.NoBody {
			lift()
		} else {
			r.Body = &eofNotifier{r.Body, lift}
		}
		next.ServeHTTP(w, r)
	})
}

// eofNotifier is a body that tells when it has been read to its end.
type eofNotifier struct {
	io.ReadCloser
	onEOF func()
}

func (a *eofNotifier) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		a.onEOF()
	}
	return n, err
}
