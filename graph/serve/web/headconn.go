package web

import (
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// boundedListener has connections that are cut where a head has too many lines, be it without
// an end: net/http keeps all of them until there is one.
type boundedListener struct {
	net.Listener
	reserves atomic.Int64 // connections that wait with a stackReserve
}

func (l *boundedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	boundUnsent(conn)
	return &headConn{Conn: conn, reserves: &l.reserves}, nil
}

const (
	// chunked is a body whose length nobody knows, and endless is what comes over a connection
	// that is net/http's no longer.
	chunked = -1
	endless = math.MaxInt64
	// readBuffer is that of net/http, which asks for as much as fits into it. It gets no more
	// than chunkBytes of a body in chunks then: the lines of a head behind it are not counted.
	readBuffer = 4 << 10
	chunkBytes = 512
)

// headConn counts the lines of each head. One Read never gives the end of a head, or of a body
// whose length is known, together with what is behind it: so headConn knows which of them it
// gives. It relies on how net/http reads: one goroutine at a time, and between a head's end
// and its handler one byte at most, which is the next head's.
type headConn struct {
	net.Conn
	reserves *atomic.Int64 // the listener's

	mu    sync.Mutex
	body  int64 // bytes that are still to come of it; 0: a head comes
	lines int   // of the head, so far
	text  bool  // the line under way has some

	rest   []byte // what was read from the connection and is not given yet
	buffer []byte // that of rest, to be used again
}

// expectBody is called when a head has been read.
func (c *headConn) expectBody(bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin(bytes)
}

func (c *headConn) begin(body int64) {
	c.body = body
	c.lines, c.text = 0, false
}

// expectHead is called when a request has been answered and its body read.
func (c *headConn) expectHead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.body == chunked {
		c.begin(0)
	}
}

// stackReserve is bytes of stack that a goroutine has in use while it waits for a request. The
// garbage collector halves a stack of which less than a quarter is in use. An operation needs more
// than half of 16 KiB, so each would have to copy its stack again: a tenth of the processor's time
// where there are many connections. Of all connections maxReserves have one, so that those of
// hostile clients hold 8 MiB more by it.
const (
	stackReserve = 2 << 10
	maxReserves  = 1024
)

func (c *headConn) Read(p []byte) (int, error) {
	if len(p) == 1 { // net/http looks for the connection's end in another goroutine
		return c.read(p)
	}
	defer c.reserves.Add(-1)
	if c.reserves.Add(1) > maxReserves {
		return c.read(p)
	}
	return c.readWithReserve(p)
}

// readWithReserve has the reserve in a frame of its own.
//
//go:noinline
func (c *headConn) readWithReserve(p []byte) (int, error) {
	var reserve [stackReserve]byte
	defer runtime.KeepAlive(&reserve)
	return c.read(p)
}

func (c *headConn) read(p []byte) (int, error) {
	p, n, err := c.ready(p)
	if n == 0 && err == nil {
		n, err = c.Conn.Read(p)
	}
	if n == 0 {
		return 0, err
	}
	return c.give(p[:n])
}

// ready gives how much of p may be read, and how much of that was there already.
func (c *headConn) ready(p []byte) (part []byte, n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.tooLong(): // net/http passes by some errors
		return nil, 0, io.EOF
	case c.body > 0:
		p = p[:min(int64(len(p)), c.body)]
	case c.body == chunked && len(p) <= readBuffer:
		p = p[:min(len(p), chunkBytes)]
	}
	n = copy(p, c.rest)
	c.rest = c.rest[n:]
	return p, n, nil
}

// give gives what was read, or as much of it as belongs to a head. Where that has too many lines,
// it is refused.
func (c *headConn) give(text []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.body > 0:
		c.body -= int64(len(text))
		return len(text), nil
	case c.body == chunked:
		return len(text), nil
	}
	head := c.count(text)
	if c.tooLong() {
		c.refuse()
		return 0, io.EOF
	}
	c.unread(text[head:])
	return head, nil
}

// tooLong allows for the first line, empty ones and those that net/http keeps elsewhere.
func (c *headConn) tooLong() bool { return c.lines > maxHeaderLines+8 }

// count counts the lines of what has come of a head up to an empty line, and gives how much of
// it that is. Where the line was not the head's end, the next read goes on behind it.
func (c *headConn) count(text []byte) (head int) {
	for i, b := range text {
		switch b {
		case '\n':
			if c.lines++; !c.text {
				return i + 1
			}
			c.text = false
		case '\r':
		default:
			c.text = true
		}
	}
	return len(text)
}

// unread has the text read again, before the rest.
func (c *headConn) unread(text []byte) {
	switch {
	case len(text) == 0:
		return
	case len(c.rest) > 0: // the text was read from before it
		c.rest = c.buffer[len(c.buffer)-len(c.rest)-len(text):]
		return
	}
	c.buffer = append(c.buffer[:0], text...)
	c.rest = c.buffer
}

// refuse answers instead of net/http, which waits for the head's end.
func (c *headConn) refuse() {
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = fmt.Fprintf(c.Conn, "HTTP/1.1 431 %s\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
		http.StatusText(http.StatusRequestHeaderFieldsTooLarge), len(tooManyLines), tooManyLines)
}

// CloseWrite is called by net/http before it closes a connection over which more may come: so an
// answer is read before the end is seen.
func (c *headConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
