package upstream

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// errBusy says that too many wait already: the wait was refused, or given up for
// a caller that waits for less.
var errBusy = errors.New("too many calls wait")

type callerKey struct{}

// WithCaller makes all calls under the context one caller's. Callers take turns
// for the calls under way, so one that asks for 100 jobs does not hold up another
// that asks for one. Without it each call is a caller of its own.
func WithCaller(ctx context.Context) context.Context {
	return context.WithValue(ctx, callerKey{}, new(byte))
}

// slots bounds the calls under way, and how many may wait to be. It keeps no
// goroutine: who gives a slot back hands it to the next.
type slots struct {
	mu      sync.Mutex
	free    int
	room    int       // for more who wait
	turns   list.List // of *line: the callers with somebody waiting, the next one in front
	byOwner map[any]*list.Element
}

// line is one caller's wait, in the order of its calls.
type line struct {
	owner   any
	waiters list.List // of *waiter
}

// waiter is told once: nil is a slot, errBusy is none.
type waiter struct {
	told chan error
	at   *list.Element
}

func newSlots(concurrency, waiting int) *slots {
	return &slots{free: concurrency, room: waiting, byOwner: map[any]*list.Element{}}
}

// take waits for a slot, so long at most. The error is errBusy or a context's.
func (s *slots) take(ctx context.Context, longest time.Duration) error {
	owner := ctx.Value(callerKey{})
	if owner == nil {
		owner = new(byte)
	}
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return nil
	}
	w, ok := s.join(owner)
	s.mu.Unlock()
	if !ok {
		return errBusy
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	select {
	case err := <-w.told:
		return err
	case <-ctx.Done():
		s.leave(owner, w)
		return ctx.Err()
	}
}

// give returns a slot: the caller whose turn it is gets it.
func (s *slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	turn := s.turns.Front()
	if turn == nil {
		s.free++
		return
	}
	l := turn.Value.(*line)
	w := l.waiters.Front().Value.(*waiter)
	s.turns.MoveToBack(turn)
	s.remove(turn, w)
	w.told <- nil
}

// join puts a waiter into its caller's line. Where there is no room the longest
// line gives up its last waiter, unless it is the caller's own.
func (s *slots) join(owner any) (*waiter, bool) {
	turn := s.byOwner[owner]
	own := 0
	if turn != nil {
		own = turn.Value.(*line).waiters.Len()
	}
	if s.room == 0 && !s.shed(own+1) {
		return nil, false
	}
	if turn = s.byOwner[owner]; turn == nil {
		turn = s.turns.PushBack(&line{owner: owner})
		s.byOwner[owner] = turn
	}
	w := &waiter{told: make(chan error, 1)}
	w.at = turn.Value.(*line).waiters.PushBack(w)
	s.room--
	return w, true
}

// shed makes room in a line that is longer than the given length.
func (s *slots) shed(length int) bool {
	var longest *list.Element
	for turn := s.turns.Front(); turn != nil; turn = turn.Next() {
		if n := turn.Value.(*line).waiters.Len(); n > length {
			longest, length = turn, n
		}
	}
	if longest == nil {
		return false
	}
	w := longest.Value.(*line).waiters.Back().Value.(*waiter)
	s.remove(longest, w)
	w.told <- errBusy
	return true
}

// leave takes back a waiter whose context has ended, and the slot that it may
// have been given in the meantime.
func (s *slots) leave(owner any, w *waiter) {
	s.mu.Lock()
	waiting := w.at != nil
	if waiting {
		s.remove(s.byOwner[owner], w)
	}
	s.mu.Unlock()
	if !waiting && <-w.told == nil {
		s.give()
	}
}

func (s *slots) remove(turn *list.Element, w *waiter) {
	l := turn.Value.(*line)
	l.waiters.Remove(w.at)
	w.at = nil
	s.room++
	if l.waiters.Len() == 0 {
		s.turns.Remove(turn)
		delete(s.byOwner, l.owner)
	}
}
