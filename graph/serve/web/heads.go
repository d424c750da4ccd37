package web

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// maxHeaderLines bounds the lines of a request's head. Each takes some hundred bytes, however
// short it is, so that a head of 32 KiB could hold half a megabyte. Browsers and proxies
// send some dozens.
const maxHeaderLines = 200

// tooManyLines is what the client is told.
var tooManyLines = fmt.Sprintf("The request has more than %d header lines. Send fewer.", maxHeaderLines)

// boundedListener has connections that are cut where a head has too many lines, be it without
// an end: net/http keeps all of them until there is one.
type boundedListener struct{ net.Listener }

func (l boundedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	boundUnsent(conn)
	c := &headConn{Conn: conn}
	c.inHead.Store(true)
	return c, nil
}

// headConn counts the lines of the head that is being read. One goroutine reads at a time.
type headConn struct {
	net.Conn
	inHead atomic.Bool
	lines  int
	empty  bool // nothing of the line under way has come
}

// expectHead is called before each further request is read, the beginning of which may have
// come with the one before.
func (c *headConn) expectHead() {
	c.lines, c.empty = 0, false
	c.inHead.Store(true)
}

func (c *headConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for i := 0; i < n && c.inHead.Load(); i++ {
		switch p[i] {
		case '\n':
			c.inHead.Store(!c.empty)
			c.lines, c.empty = c.lines+1, true
		case '\r':
		default:
			c.empty = false
		}
	}
	if c.lines <= maxHeaderLines+8 { // the first, the empty, and those that net/http keeps elsewhere
		return n, err
	}
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = fmt.Fprintf(c.Conn, "HTTP/1.1 431 %s\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
		http.StatusText(http.StatusRequestHeaderFieldsTooLarge), len(tooManyLines), tooManyLines)
	return 0, io.EOF
}

// withShortHeads has the lines counted no more, and refuses a request of too many, whose body is
// not waited for: nobody holds for long what net/http has made of them.
func withShortHeads(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, ok := r.Context().Value(connKey{}).(*headConn); ok {
			conn.inHead.Store(false)
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
