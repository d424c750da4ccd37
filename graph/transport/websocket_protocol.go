package transport

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// handle does what a message asks. A code closes the socket.
func (s *socket) handle(kind websocket.MessageType, data []byte) (code websocket.StatusCode, reason string) {
	var m clientMessage
	if kind != websocket.MessageText || json.Unmarshal(data, &m) != nil {
		return closeBadMessage, "Invalid message received"
	}
	switch m.Type {
	case "connection_init":
		return s.init(m)
	case "ping":
		return s.ping(m)
	case "pong":
		if !m.isWellFormed() {
			return closeBadMessage, "The payload of pong must be an object"
		}
	case "subscribe":
		return s.subscribe(m)
	case "complete":
		if m.ID == "" {
			return closeBadMessage, "complete needs an id"
		}
		s.cancel(m.ID)
	default:
		return closeBadMessage, "Unexpected message type"
	}
	return 0, ""
}

// ping counts for the payload and for its answer, which may have to wait.
func (s *socket) ping(m clientMessage) (websocket.StatusCode, string) {
	in := s.Requests.begin(s.request.RemoteAddr)
	defer in.release()
	switch {
	case !m.isWellFormed():
		return closeBadMessage, "The payload of ping must be an object"
	case !in.resize(int64(2 * len(m.Payload))):
		return closeTryAgainLater, noRoom.message
	}
	s.write(s.writeCtx, m.pong())
	return 0, ""
}

func (s *socket) init(m clientMessage) (websocket.StatusCode, string) {
	if s.inited {
		return closeTooManyInitRequests, "Too many initialisation requests"
	}
	s.inited = true
	in := s.Requests.begin(s.request.RemoteAddr)
	defer in.release()
	switch {
	case !m.isWellFormed():
		return closeBadMessage, "The payload of connection_init must be an object"
	case !in.resize(int64(len(m.Payload))) || !in.expect(m.Payload):
		return closeTryAgainLater, noRoom.message
	}
	payload, err := m.members()
	if err != nil {
		return closeBadMessage, "The payload of connection_init must be an object"
	}
	if s.Init != nil {
		ctx, err := s.Init(s.opCtx, payload)
		if err != nil {
			return closeForbidden, "Forbidden: " + err.Error()
		}
		s.opCtx = ctx
		context.AfterFunc(ctx, func() {
			if ctx.Err() == context.DeadlineExceeded {
				s.close(closeForbidden, "Forbidden: the token has expired")
			}
		})
	}
	if full := s.slot.promote(); full != nil {
		return closeTryAgainLater, full.text
	}
	s.initTimer.Stop()
	s.running.Go(func() { s.keepAlive(s.writeCtx) })
	s.write(s.writeCtx, message{Type: "connection_ack"})
	return 0, ""
}

func (s *socket) subscribe(m clientMessage) (websocket.StatusCode, string) {
	switch {
	case !s.inited:
		return closeUnauthorized, "Unauthorized"
	case len(m.ID) > maxID:
		return closeBadMessage, fmt.Sprintf("The id of subscribe has more than %d bytes", maxID)
	}
	in := s.Requests.begin(s.request.RemoteAddr)
	room := in.resize(int64(len(m.Payload))) && in.expect(m.Payload)
	params, ok := &graphql.RawParams{}, true
	if room {
		params, ok = m.params(s.request)
	}
	if !ok || m.ID == "" {
		in.release()
		return closeBadMessage, "subscribe needs an id and a payload with a query"
	}
	s.mu.Lock()
	taken, full := s.active[m.ID] != nil, len(s.active) >= s.MaxOperations
	s.mu.Unlock()
	switch {
	case taken:
		in.release()
		return closeDuplicateID, fmt.Sprintf("Subscriber for %s already exists", m.ID)
	case full:
		s.refuse(m.ID, in, tooManyOperations(s.MaxOperations))
	case !room:
		s.refuse(m.ID, in, gqlerror.List{noRoom.failure()})
	default:
		if limited := limited(s.opCtx, s.Limit); limited != nil {
			s.refuse(m.ID, in, gqlerror.List{limited.failure()})
			return 0, ""
		}
		s.start(m.ID, params, in)
	}
	return 0, ""
}

// refuse answers a subscribe that begins nothing.
func (s *socket) refuse(id string, in *intake, failures gqlerror.List) {
	in.release()
	s.write(s.writeCtx, message{ID: id, Type: "error", Payload: failures})
}

// start waits where the client has completed operations that have not ended yet: they
// hold their answers until then, and nothing is read meanwhile.
func (s *socket) start(id string, params *graphql.RawParams, in *intake) {
	select {
	case s.permits <- struct{}{}:
	case <-s.writeCtx.Done():
		in.release()
		return
	}
	ctx, cancel := context.WithCancel(s.opCtx)
	sub := &subscription{id, cancel}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining { // the close is on its way
		cancel()
		in.release()
		<-s.permits
		return
	}
	s.active[id] = sub
	s.open++
	s.running.Go(func() {
		defer func() { <-s.permits }()
		defer cancel()
		defer in.release()
		s.run(ctx, sub, params, in)
	})
}

// run writes the responses of one operation. Each is written before the next is asked
// for: of a subscription, a client that is slow to read gets the latest state alone.
func (s *socket) run(ctx context.Context, sub *subscription, params *graphql.RawParams, in *intake) {
	op, refused := begin(ctx, s.Connections.shutdown, s.exec, params)
	in.keep(params.Query)
	if refused != nil {
		s.finish(ctx, sub, message{ID: sub.id, Type: "error", Payload: refused.Errors})
		return
	}
	defer op.stop()
	for response := op.next(); response != nil; response = op.next() {
		if !s.write(ctx, message{ID: sub.id, Type: "next", Payload: response}) {
			break
		}
	}
	s.finish(ctx, sub, message{ID: sub.id, Type: "complete"})
}

// finish frees the operation's id, and then writes to the client, which may use it again.
// A client that has completed the operation itself is written nothing.
func (s *socket) finish(ctx context.Context, sub *subscription, end message) {
	if s.remove(sub) {
		s.write(ctx, end)
	}
	s.mu.Lock()
	s.open--
	last := s.draining && s.open == 0
	s.mu.Unlock()
	if last {
		s.close(closeGoingAway, "Going away")
	}
}

// remove is false where the client has completed the operation.
func (s *socket) remove(sub *subscription) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active[sub.id] != sub {
		return false
	}
	delete(s.active, sub.id)
	return true
}

// cancel ends an operation that the client does not want any more.
func (s *socket) cancel(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub := s.active[id]; sub != nil {
		sub.cancel()
		delete(s.active, id)
	}
}

func tooManyOperations(most int) gqlerror.List {
	return gqlerror.List{{
		Message:    fmt.Sprintf("This connection runs %d operations already, and no more are allowed. Complete one, or put more ids into one.", most),
		Extensions: map[string]any{"code": "BAD_USER_INPUT"},
	}}
}
