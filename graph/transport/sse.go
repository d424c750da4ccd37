package transport

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/budget"
	"jobgraph/graph/clientaddr"
)

// SSE serves the protocol graphql-sse in its distinct connections mode: one
// operation a request, as written down at
// https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md. A browser's own
// EventSource asks with GET.
type SSE struct {
	// Connections counts the streams; needed.
	Connections *Connections
	// Requests is as [HTTP]'s.
	Requests *Requests
	// AllowOrigin says whether the request's page may connect; nil: those of the same
	// origin may.
	AllowOrigin func(r *http.Request) bool
	// Limit is as [HTTP]'s.
	Limit func(ctx context.Context) time.Duration
	// KeepAlive is the time between two comments, which keep proxies from closing a
	// quiet stream; 12 s.
	KeepAlive time.Duration
	// WriteTimeout is how long a reader may take for each 64 KiB before it is cut off; 10 s.
	// An event as a whole has the time of a [budget.Pace].
	WriteTimeout time.Duration
}

// defaultWriteTimeout closes a connection whose reader has stopped reading.
const defaultWriteTimeout = 10 * time.Second

var _ graphql.Transport = SSE{}

// Supports is gqlgen's question whether the request is this transport's: it is where
// an event stream is asked for before any JSON.
func (t SSE) Supports(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return false
	}
	for accepted := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		mediaType, weight, _ := parseRange(accepted)
		switch {
		case weight == 0:
		case mediaType == "text/event-stream":
			return true
		case mediaType == "application/json", mediaType == "application/graphql-response+json":
			return false
		}
	}
	return false
}

// Do runs one operation. What is wrong with the operation is told through the stream,
// because an EventSource shows a page nothing of any other answer.
func (t SSE) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	t.serve(w, r, exec, eventFraming)
}

// framing is how a stream writes what it has.
type framing struct {
	contentType, opening string
	before, after        string // around a response
	keepAlive, complete  string
}

var eventFraming = framing{
	contentType: "text/event-stream; charset=utf-8",
	opening:     ":\n\n",
	before:      "event: next\ndata: ",
	after:       "\n\n",
	keepAlive:   ": keep-alive\n\n",
	complete:    "event: complete\ndata: \n\n", // without data an EventSource drops the event
}

func (t SSE) serve(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor, framing framing) {
	if !fromAllowedOrigin(w, r, t.AllowOrigin) {
		return
	}
	in := t.Requests.begin(r.RemoteAddr)
	defer in.release()
	start := graphql.Now()
	request, refusal := receive(r, in)
	if refusal == nil {
		refusal = limited(r.Context(), t.Limit)
	}
	var params *graphql.RawParams
	if refusal == nil {
		params, refusal = decodeRequest(r, in, request, start)
	}
	if refusal != nil {
		(&responder{w, r, exec, mediaTypeJSON}).refuse(refusal)
		return
	}
	slot, full := t.Connections.acquire(clientaddr.Of(r.RemoteAddr))
	if full != nil {
		full.refuse(w)
		return
	}
	defer slot.release()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s := &stream{w: w, framing: framing, conn: http.NewResponseController(w), cancel: cancel, turn: make(chan struct{}, 1),
		connections: t.Connections, timeout: cmp.Or(t.WriteTimeout, defaultWriteTimeout)}
	s.start()
	defer context.AfterFunc(t.Connections.shutdown, s.shortenDeadline)()
	var keeping sync.WaitGroup
	defer keeping.Wait()
	defer cancel()
	keeping.Go(func() { s.keepAlive(ctx, cmp.Or(t.KeepAlive, 12*time.Second)) })
	s.run(ctx, exec, params, in)
}

// stream is one event stream, or one multipart answer, under way.
type stream struct {
	framing     framing
	conn        *http.ResponseController
	cancel      context.CancelFunc
	connections *Connections
	timeout     time.Duration

	turn chan struct{} // holds one while something is written
	w    http.ResponseWriter
}

// start sends the header. The server's own deadline for writing is for answers that
// end soon: send sets a new one each time. That for reading ends with the request.
func (s *stream) start() {
	h := s.w.Header()
	h.Set("Content-Type", s.framing.contentType)
	h["Cache-Control"] = noStore
	addVary(h)
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	s.w.WriteHeader(http.StatusOK)
	s.send([]byte(s.framing.opening))
}

func (s *stream) run(ctx context.Context, exec graphql.GraphExecutor, params *graphql.RawParams, in *intake) {
	op, refused := begin(ctx, s.connections.shutdown, exec, params)
	in.keep(params.Query)
	if refused != nil {
		s.refuse(refused.Errors)
	} else {
		defer op.stop()
		for response := op.next(); response != nil; response = op.next() {
			s.next(response)
		}
	}
	if ctx.Err() == nil {
		s.send([]byte(s.framing.complete))
	}
}

// refuse sends a response that has no data at all, because nothing was executed.
func (s *stream) refuse(errs gqlerror.List) {
	event := appendMember([]byte(s.framing.before+"{"), "errors", errs)
	s.send(append(event, "}"+s.framing.after...))
}

func (s *stream) next(response *graphql.Response) {
	parts := encodeEvent(response)
	s.send([]byte(s.framing.before), parts[0], parts[1], parts[2], []byte(s.framing.after))
}

// send ends the operation where the reader is gone or has stopped reading.
func (s *stream) send(event ...[]byte) {
	s.turn <- struct{}{} // the one before has a deadline
	s.write(event)
}

// write has the deadline follow what the reader takes.
func (s *stream) write(event [][]byte) {
	defer func() { <-s.turn }()
	var pace budget.Pace
	for _, part := range event {
		for piece := range slices.Chunk(part, progress) {
			s.extendDeadline(&pace, len(piece))
			if _, err := s.w.Write(piece); err != nil {
				s.cancel()
				return
			}
		}
	}
	if s.conn.Flush() != nil {
		s.cancel()
	}
}

func (s *stream) extendDeadline(pace *budget.Pace, bytes int) {
	timeout := s.timeout
	if s.connections.shutdown.Err() != nil {
		timeout = min(timeout, s.connections.options.DrainTimeout)
	}
	_ = s.conn.SetWriteDeadline(pace.Deadline(bytes, timeout))
}

// shortenDeadline is for a write that is under way: the process shuts down.
func (s *stream) shortenDeadline() {
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.connections.options.DrainTimeout))
}

func (s *stream) keepAlive(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			select {
			case s.turn <- struct{}{}:
				s.write([][]byte{[]byte(s.framing.keepAlive)})
			default: // the stream is not quiet
			}
		case <-ctx.Done():
			return
		}
	}
}
