package store

import (
	"context"

	"jobgraph/upstream"
	"jobgraph/upstream/group"
)

// call is one call of the source, for all who share it.
type call struct {
	*group.Call[outcome]
	number     int
	began      int64
	generation int
	passing    bool // the answer itself is not worth its room
	// fetched is when what a second tier gave was fetched, by this or another instance; 0: the
	// source asked the job API now. It is set by the source.
	fetched int64
}

// answer is what the source gave: a job or a list, or an error.
type answer struct {
	job  *upstream.EncodedJob
	list *upstream.List
	err  error
}

// outcome is what a call gave, and the entry made of it, stored or overtaken; nil for a
// failure that says nothing of what was asked.
type outcome struct {
	answer
	entry *entry
}

// start begins a call, which those who come later join.
func (s *Store) start(ctx context.Context, slot *slot, q question) *call {
	s.turn++
	slot.inFlight++
	passing := q.list != nil && q.list.Only != nil
	c := &call{Call: group.NewCall[outcome](ctx), number: s.turn, began: s.opts.Now(), generation: slot.token.generation, passing: passing}
	slot.call = c
	q.Began = &c.fetched
	if q.list != nil {
		list := *q.list
		list.Began = &c.fetched
		q.list = &list
	}
	s.workers.run(func() { s.complete(slot, c, s.ask(c.Context(), q)) })
	return c
}

// ask is one call of the source. A panic becomes an error here: in a goroutine of its own
// it would end the process.
func (s *Store) ask(ctx context.Context, q question) (a answer) {
	defer func() {
		if value := recover(); value != nil {
			a = answer{err: upstream.PanicError(value)}
		}
	}()
	if q.list != nil {
		a.list, a.err = s.lists.List(ctx, *q.list)
	} else {
		a.job, a.err = s.source.Job(ctx, q.Request)
	}
	return a
}

// release is for a caller that does not wait any longer.
func (s *Store) release(key upstream.Key, c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.Release() {
		return
	}
	if slot := s.slots[key]; slot != nil && slot.call == c {
		slot.call = nil
	}
}

// complete stores what a call gave and hands it to all who wait for it.
func (s *Store) complete(slot *slot, c *call, a answer) {
	shared := c.fetched != 0
	began := c.began
	if shared {
		began = min(began, c.fetched)
	}
	result := outcome{a, newEntry(a, began, s.opts.Now())}
	s.mu.Lock()
	s.turn++
	if slot.call == c {
		slot.call = nil
	}
	slot.inFlight--
	if refused(a.err) {
		slot.token.generation++
	}
	if result.entry != nil {
		result.entry.passing = c.passing
	}
	current := result.entry != nil && (c.generation == slot.token.generation || refused(a.err))
	switch {
	case current && shared:
		s.share(slot, result.entry)
	case current && c.number > slot.answered:
		s.answer(slot, c, result.entry)
		if a.list != nil {
			s.fill(slot, c, a.list)
		}
	}
	s.dropIfIdle(slot)
	s.mu.Unlock()
	c.Complete(result)
}

// share stores what a second tier said of the slot, unless more recent knowledge is there
// already. A call of the job API that is under way will say something newer, and a list's
// jobs may be older than what is known of each.
func (s *Store) share(slot *slot, e *entry) {
	if slot.entry != nil && slot.entry.began >= e.began {
		return
	}
	slot.ended = s.turn
	s.put(slot, e)
}

// answer stores what a call says of the slot.
func (s *Store) answer(slot *slot, c *call, e *entry) {
	slot.answered, slot.ended = c.number, s.turn
	s.put(slot, e)
}
