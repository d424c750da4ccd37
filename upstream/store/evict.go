package store

import (
	"time"

	"jobgraph/upstream"
)

// class is a kind of entry whose TTL is the same for all: in a queue of one class the
// first to come is the first to expire. What comes from a second tier is older than it looks
// there: it is not served when it has expired, but may stand for a while longer.
type class uint8

const (
	settled class = iota
	active
	negative // no such job, or a refusal
	classes
)

// token is what is known of a token while there is a slot for it: nothing more than
// is bounded by the slots.
type token struct {
	key   upstream.TokenKey
	slots int
	// generation is one more with each refusal of the token by upstream: an entry of an
	// earlier one is never served, nor stored by a call that began before.
	generation int
}

func (s *Store) newSlot(at digest, key upstream.Key) number {
	t := s.tokens[key.Token]
	if t == 0 {
		t = s.tokenPages.add(token{key: key.Token})
		s.tokens[key.Token] = t
	}
	s.tokenPages.at(t).slots++
	n := s.pages.add(slot{digest: at, token: t, list: key.IsList()})
	s.slots[at] = n
	return n
}

// dropIfIdle forgets a slot that has neither an entry nor a call.
func (s *Store) dropIfIdle(n number) {
	slot := s.pages.at(n)
	if slot.entry.turn != 0 || slot.inFlight > 0 {
		return
	}
	delete(s.slots, slot.digest)
	if !slot.list {
		s.dropped = max(s.dropped, slot.ended)
	}
	t := s.tokenPages.at(slot.token)
	t.slots--
	if t.slots == 0 {
		delete(s.tokens, t.key)
		s.tokenPages.remove(slot.token)
	}
	s.pages.remove(n)
}

// put makes e, with what the answer gave, the slot's entry and evicts what has no room any
// more. An answer that is not worth its room is passing.
func (s *Store) put(n number, e entry, a answer, passing bool) {
	s.take(n)
	e.class, e.ttl = s.classify(e, a)
	if passing || a.list != nil && weigh(a) > s.opts.MaxBytes/2 {
		e.ttl = 0
	}
	if e.ttl == 0 {
		a.job, a.list = nil, nil // it weighs what it holds
	} else {
		e.content = contentOf(a)
	}
	slot := s.pages.at(n)
	switch e.content {
	case packed:
		e.packed = s.records.add(n, string(a.job.Record))
	case apart:
		s.apart[n] = a
	}
	e.generation, e.bytes = s.generation(slot), weigh(a)
	slot.entry = e
	s.bytes += e.bytes
	s.push(n)
	s.evict()
}

func (s *Store) classify(e entry, a answer) (class, time.Duration) {
	switch {
	case a.list != nil:
		return active, s.opts.ActiveTTL
	case a.job == nil:
		return negative, min(NegativeTTL, max(s.opts.ActiveTTL, s.opts.SettledTTL))
	case a.job.Settled(time.Unix(0, e.began)):
		return settled, s.opts.SettledTTL
	default:
		return active, s.opts.ActiveTTL
	}
}

// servable says whether the slot's entry may be served. What began later than now was stored
// before the clock was put back: nobody knows how old it is.
func (s *Store) servable(slot *slot) bool {
	e := &slot.entry
	age := s.opts.Now() - e.began
	return e.content != nothing && e.generation == s.generation(slot) && 0 <= age && age < int64(e.ttl)
}

// generation is the token's.
func (s *Store) generation(slot *slot) int { return s.tokenPages.at(slot.token).generation }

// evict drops what has expired, and while there is too much, what expires soonest. An
// expired entry is still known for a window: see [ReadSet.Joinable].
func (s *Store) evict() {
	now, window := s.opts.Now(), int64(s.window())
	for c := range s.queues {
		for n := s.queues[c].first; n != 0 && now-s.pages.at(n).entry.began >= int64(s.pages.at(n).entry.ttl)+window; n = s.queues[c].first {
			s.remove(n)
		}
	}
	for s.bytes > s.opts.MaxBytes {
		n := s.soonest()
		s.evicted++
		s.forgotten = max(s.forgotten, s.pages.at(n).entry.ended)
		s.remove(n)
	}
	s.compact()
}

// soonest is the slot whose entry expires first of all.
func (s *Store) soonest() (soonest number) {
	for c := range s.queues {
		first := s.queues[c].first
		if first != 0 && (soonest == 0 || s.pages.at(first).entry.expires() < s.pages.at(soonest).entry.expires()) {
			soonest = first
		}
	}
	return soonest
}

func (e *entry) expires() int64 { return e.began + int64(e.ttl) }

func (s *Store) remove(n number) {
	s.take(n)
	s.dropIfIdle(n)
}

// take takes the slot's entry out, if it has one.
func (s *Store) take(n number) {
	slot := s.pages.at(n)
	if slot.entry.turn == 0 {
		return
	}
	s.unlink(n)
	switch slot.entry.content {
	case packed:
		s.records.remove(slot.entry.packed)
	case apart:
		delete(s.apart, n)
	}
	s.bytes -= slot.entry.bytes
	slot.entry = entry{}
}

// compact keeps what is dead in the segments below an eighth of the room.
func (s *Store) compact() {
	for s.records.dead() > s.opts.MaxBytes/8 {
		segment, ok := s.records.sparsest()
		if !ok {
			return
		}
		for owner, at := range s.records.all(segment) {
			// A slot that is used again, or has a newer entry, has its record elsewhere.
			if e := &s.pages.at(owner).entry; e.content == packed && e.packed == at {
				e.packed = s.records.move(owner, at)
			}
		}
	}
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
	first, last number
	length      int
}

// push puts the slot at the end of its entry's queue.
func (s *Store) push(n number) {
	slot := s.pages.at(n)
	q := &s.queues[slot.entry.class]
	q.length++
	slot.prev, slot.next = q.last, 0
	if q.last != 0 {
		s.pages.at(q.last).next = n
	} else {
		q.first = n
	}
	q.last = n
}

// unlink takes the slot out of its entry's queue.
func (s *Store) unlink(n number) {
	slot := s.pages.at(n)
	q := &s.queues[slot.entry.class]
	q.length--
	if slot.prev != 0 {
		s.pages.at(slot.prev).next = slot.next
	} else {
		q.first = slot.next
	}
	if slot.next != 0 {
		s.pages.at(slot.next).prev = slot.prev
	} else {
		q.last = slot.prev
	}
	slot.prev, slot.next = 0, 0
}
