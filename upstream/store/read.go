package store

import "context"

// read asks that many questions at once. Each answer is given as soon as it is known, with
// its question's number: what is cached first, then that of each call as it comes. Who has
// left is given nothing more, cached or not.
func (s *Store) read(ctx context.Context, questions int, ask func(n int) (question, error), each func(n int, a answer)) {
	reads := ReadSetFrom(ctx)
	w := waiter{room: questions}
	defer s.release(&w)
	for n := range questions {
		q, err := ask(n)
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			reads.fail(err)
			each(n, answer{err: err})
			continue
		}
		q.digest = digestOf(q.Key)
		found, call, joined, read := reads.begin(ctx, s, q, &w)
		if call != nil {
			if w.pending == nil {
				w.pending = make([]pending, 0, questions-n)
			}
			w.pending = append(w.pending, pending{call, q.digest, n, read})
		}
		s.count(q, call == nil, joined)
		if call == nil {
			each(n, found.answer())
		}
	}
	for range w.pending {
		select {
		case n := <-w.ready:
			p := &w.pending[n]
			outcome := p.call.Value()
			p.call = nil
			reads.end(p.read, outcome)
			each(p.question, outcome.answer)
		case <-ctx.Done():
			for _, p := range w.pending {
				if p.call != nil {
					each(p.question, answer{err: context.Cause(ctx)})
				}
			}
			return
		}
	}
}

// waiter is one caller, who waits for several calls without a goroutine for each.
type waiter struct {
	room    int      // for so many calls
	ready   chan int // has the places in pending of those that are complete
	added   int
	pending []pending
}

// pending is a call that a waiter waits for.
type pending struct {
	call     *call // nil: it is complete
	digest   digest
	question int
	read     int // in the read set
}

// add has the waiter wait for one more call. It is called with the Store's mutex held, under
// which the call is not complete.
func (w *waiter) add(c *call) {
	if w.ready == nil {
		w.ready = make(chan int, w.room)
	}
	c.Notify(w.ready, w.added)
	w.added++
}

// release is for a caller that does not wait any longer for the calls that are not complete.
func (s *Store) release(w *waiter) {
	for _, p := range w.pending {
		if p.call != nil {
			s.releaseCall(p, w.ready)
		}
	}
}

func (s *Store) releaseCall(p pending, ready chan int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.call.StopNotify(ready)
	if !p.call.Release() {
		return
	}
	if n := s.slots[p.digest]; s.calls[n] == p.call {
		delete(s.calls, n)
	}
}

func (s *Store) count(q question, served, joined bool) {
	if q.list == nil {
		q.Tally.Asked(served, joined)
	}
	switch {
	case served:
		s.opts.ObserveHit()
	case joined:
		s.opts.ObserveCoalesced()
	case !q.Fresh:
		s.opts.ObserveMiss()
	}
}
