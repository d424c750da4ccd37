package store

import "context"

// read asks that many questions at once. Each answer is given as soon as it is known, with
// its question's number: what is cached first, then that of each call as it comes. Who has
// left is given nothing more, cached or not.
func (s *Store) read(ctx context.Context, questions int, ask func(n int) (question, error), each func(n int, a answer)) {
	reads := ReadSetFrom(ctx)
	w := waiter{room: questions}
	defer s.leave(&w)
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
			if w.waits == nil {
				w.waits = make([]wait, 0, questions-n)
			}
			w.waits = append(w.waits, wait{call, q.digest, n, read})
		}
		s.count(q, call == nil, joined)
		if call == nil {
			each(n, found.answer())
		}
	}
	for range w.waits {
		select {
		case n := <-w.ready:
			wait := &w.waits[n]
			outcome := wait.call.Value()
			wait.call = nil
			reads.end(wait.read, outcome)
			each(wait.question, outcome.answer)
		case <-ctx.Done():
			for _, wait := range w.waits {
				if wait.call != nil {
					each(wait.question, answer{err: context.Cause(ctx)})
				}
			}
			return
		}
	}
}

// waiter is one caller, who waits for several calls without a goroutine for each.
type waiter struct {
	room  int      // for so many waits
	ready chan int // has the numbers of the waits whose calls are complete
	added int      // is their number
	waits []wait
}

// wait is one of a waiter's.
type wait struct {
	call     *call // nil: it is over
	digest   digest
	question int
	read     int // in the read set
}

// add has the waiter told of a call's end. It is called with the Store's mutex held, under which
// the call can still be joined.
func (w *waiter) add(c *call) {
	if w.ready == nil {
		w.ready = make(chan int, w.room)
	}
	c.Notify(w.ready, w.added)
	w.added++
}

// leave is for a caller that does not wait any longer for what is not over.
func (s *Store) leave(w *waiter) {
	for _, wait := range w.waits {
		if wait.call != nil {
			s.leaveOne(wait, w.ready)
		}
	}
}

func (s *Store) leaveOne(w wait, ready chan int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, n := w.call.Release(), s.slots[w.digest]
	switch {
	case s.calls[n] != w.call: // it is complete, or another one has its place
	case last:
		delete(s.calls, n)
	default:
		w.call.Forget(ready)
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
