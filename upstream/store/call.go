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

// outcome is what a call gave, and the turn in which it ended: that of the entry made of it,
// stored or overtaken. 0: it failed in a way that says nothing of what was asked.
type outcome struct {
	answer
	turn int
}

// start begins a call, which those who come later join.
func (s *Store) start(ctx context.Context, n number, q question) *call {
	s.turn++
	slot := s.pages.at(n)
	slot.inFlight++
	passing := q.list != nil && q.list.Only != nil
	c := &call{Call: group.NewCall[outcome](ctx), number: s.turn, began: s.opts.Now(), generation: s.generation(slot), passing: passing}
	s.calls[n] = c
	q.Began = &c.fetched
	if q.list != nil {
		list := *q.list
		list.Began = &c.fetched
		q.list = &list
	}
	s.workers.run(func() { s.complete(n, c, s.ask(c.Context(), q)) })
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

// complete stores what a call gave and hands it to all who wait for it.
func (s *Store) complete(n number, c *call, a answer) {
	result := outcome{answer: a}
	e := entry{began: c.began, ended: s.opts.Now()}
	shared := c.fetched != 0
	if shared {
		e.began = min(c.began, c.fetched)
	}
	lasts, refused := a.lasts(), refused(a.err)
	s.mu.Lock()
	s.turn++
	slot := s.pages.at(n)
	if s.calls[n] == c {
		delete(s.calls, n)
	}
	if refused {
		s.tokenPages.at(slot.token).generation++
	}
	if lasts {
		e.turn, result.turn = s.turn, s.turn
	}
	current := lasts && (c.generation == s.generation(slot) || refused)
	switch {
	case current && shared:
		s.share(n, e, a, c.passing)
	case current && c.number > slot.answered:
		s.answer(n, c, e, a, c.passing)
		if a.list != nil {
			s.fill(slot.token, c, a.list)
		}
	}
	slot.inFlight--
	s.dropIfIdle(n)
	c.Complete(result)
	s.mu.Unlock()
}

// share stores what a second tier said of the slot, unless more recent knowledge is there
// already. A call of the job API that is under way will say something newer, and a list's
// jobs may be older than what is known of each.
func (s *Store) share(n number, e entry, a answer, passing bool) {
	slot := s.pages.at(n)
	if slot.entry.turn != 0 && slot.entry.began >= e.began {
		return
	}
	slot.ended = s.turn
	s.put(n, e, a, passing)
}

// answer stores what a call says of the slot.
func (s *Store) answer(n number, c *call, e entry, a answer, passing bool) {
	slot := s.pages.at(n)
	slot.answered, slot.ended = c.number, e.turn
	s.put(n, e, a, passing)
}
