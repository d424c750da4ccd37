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
	var m received
	if kind != websocket.MessageText || json.Unmarshal(data, &m) != nil {
		return closeBadMessage, "Invalid message received"
	}
	switch m.Type {
	case "connection_init":
		return s.init(m)
	case "ping":
		if payload, err := m.object(); err != nil {
			return closeBadMessage, "The payload of ping must be an object"
		} else if payload == nil {
			s.write(message{Type: "pong"})
		} else {
			s.write(message{Type: "pong", Payload: payload})
		}
	case "pong":
		if _, err := m.object(); err != nil {
			return closeBadMessage, "The payload of pong must be an object"
		}
	case "subscribe":
		return s.subscribe(m)
	case "complete":
		if m.ID == "" {
			return closeBadMessage, "complete needs an id"
		}
		s.forget(m.ID)
	default:
		return closeBadMessage, "Unexpected message type"
	}
	return 0, ""
}

func (s *socket) init(m received) (websocket.StatusCode, string) {
	if s.inited {
		return closeTooManyInitRequests, "Too many initialisation requests"
	}
	s.inited = true
	payload, err := m.object()
	if err != nil {
		return closeBadMessage, "The payload of connection_init must be an object"
	}
	if s.Init != nil {
		ctx, err := s.Init(s.operations, payload)
		if err != nil {
			return closeForbidden, "Forbidden: " + err.Error()
		}
		s.operations = ctx
	}
	s.initTimer.Stop()
	s.write(message{Type: "connection_ack"})
	return 0, ""
}

func (s *socket) subscribe(m received) (websocket.StatusCode, string) {
	if !s.inited {
		return closeUnauthorized, "Unauthorized"
	}
	params, ok := m.params(s.request)
	if !ok || m.ID == "" {
		return closeBadMessage, "subscribe needs an id and a payload with a query"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.active[m.ID] != nil:
		return closeDuplicateID, fmt.Sprintf("Subscriber for %s already exists", m.ID)
	case s.leaving:
		return 0, "" // the close is on its way
	case len(s.active) >= s.MaxOperations:
		s.running.Go(func() { s.write(message{ID: m.ID, Type: "error", Payload: tooManyOperations(s.MaxOperations)}) })
		return 0, ""
	}
	ctx, cancel := context.WithCancel(s.operations)
	sub := &subscription{m.ID, cancel}
	s.active[m.ID] = sub
	s.unfinished++
	s.running.Go(func() {
		defer cancel()
		s.run(ctx, sub, params)
	})
	return 0, ""
}

// run tells the responses of one operation.
func (s *socket) run(ctx context.Context, sub *subscription, params *graphql.RawParams) {
	op, refused := begin(ctx, s.Connections.leaving, s.exec, params)
	if refused != nil {
		s.finish(sub, message{ID: sub.id, Type: "error", Payload: refused.Errors})
		return
	}
	defer op.stop()
	for response := op.next(); response != nil; response = op.next() {
		if !s.isActive(sub) || !s.write(message{ID: sub.id, Type: "next", Payload: response}) {
			break
		}
	}
	s.finish(sub, message{ID: sub.id, Type: "complete"})
}

// finish frees the operation's id, and then tells the client, which may use it again.
// A client that has completed the operation itself is told nothing.
func (s *socket) finish(sub *subscription, last message) {
	if s.remove(sub) {
		s.write(last)
	}
	s.mu.Lock()
	s.unfinished--
	goodbye := s.leaving && s.unfinished == 0
	s.mu.Unlock()
	if goodbye {
		s.conn.Close(closeGoingAway, "Going away")
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

// forget ends an operation that the client does not want any more.
func (s *socket) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub := s.active[id]; sub != nil {
		sub.cancel()
		delete(s.active, id)
	}
}

func (s *socket) isActive(sub *subscription) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active[sub.id] == sub
}

func tooManyOperations(most int) gqlerror.List {
	return gqlerror.List{{
		Message:    fmt.Sprintf("This connection runs %d operations already, and no more are allowed. Complete one, or put more ids into one.", most),
		Extensions: map[string]any{"code": "BAD_USER_INPUT"},
	}}
}
