package transport

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// SSE serves the protocol graphql-sse in its distinct connections mode: one
// operation a request, as written down at
// https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md. A browser's own
// EventSource asks with GET.
type SSE struct {
	// Connections counts the streams; needed.
	Connections *Connections
	// AllowOrigin says whether the request's page may connect; nil: those of the same
	// origin may.
	AllowOrigin func(r *http.Request) bool
	// KeepAlive is the time between two comments, which keep proxies from closing a
	// quiet stream; 12 s.
	KeepAlive time.Duration
	// WriteTimeout cuts a reader off that has stopped reading; 10 s.
	WriteTimeout time.Duration
}

var _ graphql.Transport = SSE{}

// Supports is gqlgen's question whether the request is this transport's: it is where
// an event stream is asked for before any JSON.
func (t SSE) Supports(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return false
	}
	for accepted := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		mediaType, parameters, _ := mime.ParseMediaType(accepted)
		switch {
		case parameters["q"] == "0":
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
	if !fromAllowedOrigin(w, r, t.AllowOrigin) || !t.Connections.enter(w) {
		return
	}
	defer t.Connections.exit()
	read := readPost
	if r.Method == http.MethodGet {
		read = readGet
	}
	params, refusal := read(r)
	if refusal != nil {
		answer{w, r, exec, mediaTypeJSON}.refuse(*refusal)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s := &stream{w: w, conn: http.NewResponseController(w), cancel: cancel,
		leaving: t.Connections.leaving, timeout: cmp.Or(t.WriteTimeout, defaultWriteTimeout)}
	s.start()
	defer context.AfterFunc(t.Connections.leaving, s.hurry)()
	var keeping sync.WaitGroup
	defer keeping.Wait()
	defer cancel()
	keeping.Go(func() { s.keepAlive(ctx, cmp.Or(t.KeepAlive, 12*time.Second)) })
	s.run(ctx, exec, params)
}

// stream is one event stream under way.
type stream struct {
	conn    *http.ResponseController
	cancel  context.CancelFunc
	leaving context.Context
	timeout time.Duration

	mu sync.Mutex
	w  http.ResponseWriter
}

// start sends the header. The server's own deadline for writing is for answers that
// end soon: send sets a new one each time. That for reading ends with the request.
func (s *stream) start() {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache, no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	s.w.WriteHeader(http.StatusOK)
	s.send(":\n\n")
}

func (s *stream) run(ctx context.Context, exec graphql.GraphExecutor, params *graphql.RawParams) {
	op, refused := begin(ctx, s.leaving, exec, params)
	if refused != nil {
		s.next(requestError{refused.Errors})
	} else {
		defer op.stop()
		for response := op.next(); response != nil; response = op.next() {
			s.next(response)
		}
	}
	if ctx.Err() == nil {
		s.send("event: complete\ndata: \n\n") // without data an EventSource drops the event
	}
}

// requestError has no data at all, because nothing was executed.
type requestError struct {
	Errors gqlerror.List `json:"errors"`
}

func (s *stream) next(response any) {
	var event bytes.Buffer
	event.WriteString("event: next\ndata: ")
	if err := json.NewEncoder(&event).Encode(response); err != nil { // ends with a line break
		s.cancel()
		return
	}
	event.WriteByte('\n')
	s.send(event.String())
}

// send ends the operation where the reader is gone or has stopped reading.
func (s *stream) send(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	timeout := s.timeout
	if s.leaving.Err() != nil {
		timeout = min(timeout, farewell)
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(timeout))
	_, err := io.WriteString(s.w, text)
	if err == nil {
		err = s.conn.Flush()
	}
	if err != nil {
		s.cancel()
	}
}

// hurry shortens a write that is under way: the process is leaving.
func (s *stream) hurry() { _ = s.conn.SetWriteDeadline(time.Now().Add(farewell)) }

func (s *stream) keepAlive(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.send(": keep-alive\n\n")
		case <-ctx.Done():
			return
		}
	}
}
