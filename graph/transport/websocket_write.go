package transport

import (
	"context"
	"slices"
	"time"

	"github.com/coder/websocket"
)

// write sends a message when its turn comes. ctx ends the wait for the turn: what the
// client does not want any more is not held for it. A message that was begun is sent
// whole. false: nothing more is to be written under ctx.
func (s *socket) write(ctx context.Context, m message) bool {
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
		s.extendDeadline()
		return s.conn.Write(s.writeCtx, websocket.MessageText, slices.Concat(parts...))
	}
	w, err := s.conn.Writer(s.writeCtx, websocket.MessageText)
	if err != nil {
		return err
	}
	for _, part := range parts {
		for frame := range slices.Chunk(part, progress) {
			s.extendDeadline()
			if _, err := w.Write(frame); err != nil {
				return err
			}
		}
	}
	s.extendDeadline()
	return w.Close()
}

func (s *socket) extendDeadline() {
	timeout := s.WriteTimeout
	if s.closing.Load() || s.Connections.shutdown.Err() != nil {
		timeout = min(timeout, s.Connections.options.DrainTimeout)
	}
	_ = s.below.SetWriteDeadline(time.Now().Add(timeout))
}

// shortenDeadline is for a write that is under way: the process shuts down.
func (s *socket) shortenDeadline() {
	if len(s.turn) > 0 {
		_ = s.below.SetWriteDeadline(time.Now().Add(s.Connections.options.DrainTimeout))
	}
}
