package web

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// lateTimeout is how long the rest of a request may take that is answered before it has come
// whole: net/http reads some of it before it sends the answer.
const lateTimeout = time.Second

// withoutReadDeadline takes the server's read deadline away once the request has
// arrived whole. It is meant for slow senders; left in place it would end every
// answer that takes longer, and every stream.
func withoutReadDeadline(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lift := func() { _ = http.NewResponseController(w).SetReadDeadline(time.Time{}) }
		if r.Body == nil || r.Body == http.NoBody {
			lift()
			next.ServeHTTP(w, r)
			return
		}
		// What net/http does with a body that was not read follows from its own type, which
		// stays in its own request.
		own := *r
		own.Body = &eofNotifier{ReadCloser: r.Body, onEOF: lift}
		next.ServeHTTP(w, &own)
		r.Pattern = own.Pattern // for the log
	})
}

// eofNotifier is a body that tells when it has been read to its end.
type eofNotifier struct {
	io.ReadCloser
	onEOF func()
	whole atomic.Bool
}

func (b *eofNotifier) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.whole.Store(true)
		b.onEOF()
	}
	return n, err
}

// limitRest is called before an answer is begun.
func (b *eofNotifier) limitRest(w http.ResponseWriter) {
	if !b.whole.Load() {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lateTimeout))
	}
}
