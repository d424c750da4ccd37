package transport

import (
	"context"
	"slices"
	"time"

	"github.com/coder/websocket"

	"jobgraph/graph/budget"
)

// write sends a message when its turn comes. ctx ends the wait for the turn: what the
// client does not want any more is not held for it. A message that was begun is sent
// whole. false: nothing more is to be written under ctx.
func (s *socket) write(ctx context.Context, m message) bool {
	s.beginWrite()
	defer s.endWrite()
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-s.turn }()
	if ctx.Err() != nil {
		return false
	}
	parts, err := m.parts()
	if err == nil {
		err = s.send(parts)
	}
	if err != nil {
		s.stop()
	}
	return err == nil
}

// beginWrite begins a new pace where no other message is written or waits: those that
// wait hold their answers as well, and would each begin a time of its own.
func (s *socket) beginWrite() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writers == 0 {
		s.pace = budget.Pace{}
	}
	s.writers++
}

func (s *socket) endWrite() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writers--
}

// send writes a message in frames of which each has a time of its own, so that the
// deadline follows what the reader takes, and control frames find their way between.
func (s *socket) send(parts [][]byte) error {
	defer s.below.SetWriteDeadline(time.Time{}) // it is not for control frames
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	s.unread.Add(int64(size))
	if size <= progress {
		s.extendDeadline(size)
		return s.conn.Write(s.writeCtx, websocket.MessageText, slices.Concat(parts...))
	}
	w, err := s.conn.Writer(s.writeCtx, websocket.MessageText)
	if err != nil {
		return err
	}
	for _, part := range parts {
		for frame := range slices.Chunk(part, progress) {
			s.extendDeadline(len(frame))
			if _, err := w.Write(frame); err != nil {
				return err
			}
		}
	}
	s.extendDeadline(0)
	return w.Close()
}

// extendDeadline needs the turn.
func (s *socket) extendDeadline(bytes int) {
	timeout := s.WriteTimeout
	if s.closing.Load() || s.Connections.shutdown.Err() != nil {
		timeout = min(timeout, s.Connections.options.DrainTimeout)
	}
	_ = s.below.SetWriteDeadline(s.pace.Deadline(bytes, timeout))
}

// shortenDeadline is for a write that is under way: the process shuts down.
func (s *socket) shortenDeadline() {
	if len(s.turn) > 0 {
		_ = s.below.SetWriteDeadline(time.Now().Add(s.Connections.options.DrainTimeout))
	}
}
