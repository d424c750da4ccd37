package store

import (
	"time"

	"jobgraph/upstream"
)

// class is a kind of entry whose TTL is the same for all: in a queue of one class the
// first to come is the first to expire. What comes from a second tier is older than it looks
// there: it is not served when it has expired, but may stand for a while longer.
type class int

const (
	settled class = iota
	active
	negative // no such job, or a refusal
	classes
)

// token is what is known of a token while there is a slot for it: nothing more than
// is bounded by the slots.
type token struct {
	slots int
	// generation is one more with each refusal of the token by upstream: an entry of an
	// earlier one is never served, nor stored by a call that began before.
	generation int
}

func (s *Store) newSlot(key upstream.Key) *slot {
	t := s.tokens[key.Token]
	if t == nil {
		t = &token{}
		s.tokens[key.Token] = t
	}
	t.slots++
	slot := &slot{key: key, token: t}
	s.slots[key] = slot
	return slot
}

// dropIfIdle forgets a slot that has neither an entry nor a call. s.slots may have
// another by now only after this one was dropped.
func (s *Store) dropIfIdle(slot *slot) {
	if slot.entry != nil || slot.inFlight > 0 || s.slots[slot.key] != slot {
		return
	}
	delete(s.slots, slot.key)
	if !slot.key.IsList() {
		s.dropped = max(s.dropped, slot.ended)
	}
	slot.token.slots--
	if slot.token.slots == 0 {
		delete(s.tokens, slot.key.Token)
	}
}

// put makes e the slot's entry and evicts what has no room any more.
func (s *Store) put(slot *slot, e *entry) {
	s.take(slot)
	e.class, e.ttl = s.classify(e)
	if e.passing {
		e.ttl = 0
	}
	if e.ttl == 0 {
		e.job, e.list = nil, nil // it is known only for ReadSet.Joinable
	}
	e.generation, e.bytes = slot.token.generation, e.weigh()
	slot.entry = e
	s.bytes += e.bytes
	s.queues[e.class].push(slot)
	s.evict()
}

func (s *Store) classify(e *entry) (class, time.Duration) {
	switch {
	case e.list != nil:
		return active, s.opts.ActiveTTL
	case e.job == nil:
		return negative, min(NegativeTTL, max(s.opts.ActiveTTL, s.opts.SettledTTL))
	case e.job.Settled(time.Unix(0, e.began)):
		return settled, s.opts.SettledTTL
	default:
		return active, s.opts.ActiveTTL
	}
}

// servable says whether the slot's entry may be served.
func (s *Store) servable(slot *slot) bool {
	e := slot.entry
	return e != nil && (e.job != nil || e.list != nil || e.notFound != nil) &&
		e.generation == slot.token.generation && s.opts.Now()-e.began < int64(e.ttl)
}

// evict drops what has expired, and while there is too much, what expires soonest. An
// expired entry is still known for a window: see [ReadSet.Joinable].
func (s *Store) evict() {
	now, window := s.opts.Now(), int64(s.window())
	for c := range s.queues {
		for slot := s.queues[c].first; slot != nil && now-slot.entry.began >= int64(slot.entry.ttl)+window; slot = s.queues[c].first {
			s.remove(slot)
		}
	}
	for s.bytes > s.opts.MaxBytes {
		slot := s.soonest()
		s.evicted++
		s.forgotten = max(s.forgotten, slot.entry.ended)
		s.remove(slot)
	}
}

// soonest is the slot whose entry expires first of all.
func (s *Store) soonest() (soonest *slot) {
	for c := range s.queues {
		first := s.queues[c].first
		if first != nil && (soonest == nil || first.entry.expires() < soonest.entry.expires()) {
			soonest = first
		}
	}
	return soonest
}

func (e *entry) expires() int64 { return e.began + int64(e.ttl) }

func (s *Store) remove(slot *slot) {
	s.take(slot)
	s.dropIfIdle(slot)
}

// take takes the slot's entry out, if it has one.
func (s *Store) take(slot *slot) {
	if slot.entry == nil {
		return
	}
	s.queues[slot.entry.class].remove(slot)
	s.bytes -= slot.entry.bytes
	slot.entry = nil
}

// window is how long an operation may be joined after it began: no longer than the
// shortest TTL, so that nothing is told that would have expired.
func (s *Store) window() time.Duration {
	window := NegativeTTL
	for _, ttl := range []time.Duration{s.opts.ActiveTTL, s.opts.SettledTTL} {
		if ttl > 0 {
			window = min(window, ttl)
		}
	}
	return window
}

// queue is a list of slots in the order in which they came.
type queue struct {
	first, last *slot
	length      int
}

func (q *queue) push(slot *slot) {
	q.length++
	slot.prev, slot.next = q.last, nil
	if q.last != nil {
		q.last.next = slot
	} else {
		q.first = slot
	}
	q.last = slot
}

func (q *queue) remove(slot *slot) {
	q.length--
	if slot.prev != nil {
		slot.prev.next = slot.next
	} else {
		q.first = slot.next
	}
	if slot.next != nil {
		slot.next.prev = slot.prev
	} else {
		q.last = slot.prev
	}
	slot.prev, slot.next = nil, nil
}
