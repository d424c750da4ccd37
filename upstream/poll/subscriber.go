package poll

import (
	"context"
	"sync"

	"jobgraph/upstream"
)

// subscriber is one who waits for some jobs. For each it keeps the latest state
// alone, so that it never grows and nobody waits for it.
type subscriber struct {
	mute    bool          // another instance's: it has its states from the fleet
	changed chan struct{} // holds one: something is waiting

	mu     sync.Mutex
	states map[*watchedJob]*delivery
	order  []*watchedJob // those with something waiting, each once
	open   int           // jobs that have not settled
}

// delivery is what is to be delivered of one job.
type delivery struct {
	latest    upstream.Result // waiting, where queued
	delivered upstream.Result
	queued    bool
	last      bool // the job has settled: after latest there is nothing to tell
}

func newSubscriber() *subscriber {
	return &subscriber{changed: make(chan struct{}, 1), states: map[*watchedJob]*delivery{}}
}

// put leaves a state for deliver; nil says only that the job is one of those waited for.
func (s *subscriber) put(from *watchedJob, state upstream.Result, last bool) {
	if s.mute {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.states[from]
	if d == nil {
		d = &delivery{}
		s.states[from] = d
		s.open++
	}
	if state == nil {
		return
	}
	d.latest, d.last = state, last
	if !d.queued {
		d.queued = true
		s.order = append(s.order, from)
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// deliver sends what is waiting until all jobs have settled or ctx is done. While
// out's reader is busy, a newer state takes the waiting one's place.
func (s *subscriber) deliver(ctx context.Context, out chan<- upstream.Result, show func(upstream.Result) upstream.Result) {
	for {
		from, state, open := s.oldest()
		if open == 0 {
			return
		}
		var ready chan<- upstream.Result // blocks for ever where there is nothing to send
		var shown upstream.Result
		if state != nil {
			ready, shown = out, show(state)
		}
		select {
		case ready <- shown:
			s.markDelivered(from, state)
		case <-s.changed:
		case <-ctx.Done():
			return
		}
	}
}

// oldest is the job that has waited longest and its latest state. A state that was
// delivered before is passed over: a reader that missed the one between sees no change.
func (s *subscriber) oldest() (from *watchedJob, state upstream.Result, open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.order) > 0 {
		from = s.order[0]
		d := s.states[from]
		if !same(d.delivered, d.latest) {
			return from, d.latest, s.open
		}
		s.drop(d)
	}
	return nil, nil, s.open
}

func (s *subscriber) markDelivered(from *watchedJob, state upstream.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.states[from]
	d.delivered = state
	if d.latest == state { // else a newer one came while this one was taken
		s.drop(d)
	}
}

// drop takes the oldest of the queue off it: all that is known of the job is delivered. A
// settled job comes here once, as its poller puts nothing after the last state.
func (s *subscriber) drop(d *delivery) {
	d.queued = false
	s.order = s.order[1:]
	if d.last {
		s.open--
	}
}
