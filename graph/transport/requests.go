package transport

import (
	"bytes"
	"io"
	"net/http"
	"sync"

	"jobgraph/graph/budget"
	"jobgraph/graph/clientaddr"
	"jobgraph/graph/errcode"
)

const (
	// minRequestBytes bounds the bytes of large requests that are being received or are under
	// way, unless bodies are allowed of which so few would fit.
	minRequestBytes = 32 << 20
	// freeRequestBytes is what each request may have besides: small ones are taken whatever
	// the large ones do.
	freeRequestBytes = 16 << 10

	// smallRequestBytes is the most that is set aside for a body before it has come.
	smallRequestBytes = 4 << 10

	// objectBytes and valueBytes are about what an object and any other value of JSON take
	// once they are decoded, which may be fifty times as much as they were.
	objectBytes = 320
	valueBytes  = 64
)

// Requests bounds the bytes of the requests that are being received, or decoded and under
// way. Nobody waits for room: what does not fit is refused at once.
type Requests struct {
	max, maxPerClient int64

	mu        sync.Mutex
	total     int64
	perClient map[clientaddr.Client]int64 // no zeros
}

// NewRequests returns Requests of which there are none; a body has maxBody bytes at most.
// Three quarters of the room are one client address's, so that none holds all of it.
func NewRequests(maxBody int64) *Requests {
	most := max(minRequestBytes, 4*maxBody)
	return &Requests{max: most, maxPerClient: most - most/4, perClient: map[clientaddr.Client]int64{}}
}

// begin is for a request of the remote address; it counts nothing yet.
func (q *Requests) begin(remoteAddr string) *intake { return &intake{owner: q, remoteAddr: remoteAddr} }

// reserve adds bytes to the client's, or takes some away.
func (q *Requests) reserve(client clientaddr.Client, bytes int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if bytes > 0 && (q.total+bytes > q.max || q.perClient[client]+bytes > q.maxPerClient) {
		return false
	}
	q.total += bytes
	if q.perClient[client] += bytes; q.perClient[client] == 0 {
		delete(q.perClient, client)
	}
	return true
}

// intake is what one request counts for, until it is released. One goroutine owns it.
type intake struct {
	owner      *Requests // nil: nothing is counted
	remoteAddr string
	size       int64 // of the request
	counted    int64 // of it, at the owner
}

// resize has the request count for its size; false: there is no room, and all is as before.
func (in *intake) resize(size int64) bool {
	counted := max(0, size-freeRequestBytes)
	if in.owner != nil && counted != in.counted {
		if !in.owner.reserve(clientaddr.Of(in.remoteAddr), counted-in.counted) {
			return false
		}
		in.counted = counted
	}
	in.size = size
	return true
}

// receive reads a body as it comes; length is its Content-Length, -1 where there is none.
// Most are small, and get a buffer of their length: no large one is set aside for bytes that
// may never come.
func (in *intake) receive(body io.Reader, length int64) ([]byte, error) {
	from := intakeReader{in, body}
	if length <= 0 || length > smallRequestBytes {
		return io.ReadAll(from)
	}
	text := make([]byte, length)
	n, err := io.ReadFull(from, text)
	return text[:n], err
}

type intakeReader struct {
	*intake
	body io.Reader
}

func (r intakeReader) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	if !r.resize(r.size + int64(n)) {
		return 0, errNoRoom
	}
	return n, err
}

// expect makes room for what the JSON takes once it is decoded.
func (in *intake) expect(text []byte) bool {
	objects := bytes.Count(text, []byte{'{'})
	others := bytes.Count(text, []byte{'['}) + bytes.Count(text, []byte{','})
	return in.resize(in.size + int64(objects*objectBytes+others*valueBytes))
}

// keep is for an operation that has begun and may stay for long: it keeps its text alone.
func (in *intake) keep(text string) { in.resize(min(in.size, int64(len(text)))) }

// release is the request's end.
func (in *intake) release() { in.resize(0) }

var (
	errNoRoom = budget.ErrOverloaded
	// noRoom is the answer to a request for which there is no room.
	noRoom = requestError{http.StatusServiceUnavailable, errcode.Overloaded,
		"This server is reading as many large requests as it has memory for. Send less at a time, or try again in a moment.",
		[2]string{"Retry-After", "1"}}
)
