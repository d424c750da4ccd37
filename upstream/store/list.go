package store

import (
	"context"
	"errors"
	"runtime"

	"jobgraph/upstream"
)

var errNoLists = errors.New("the source gives no lists")

// List gives the cached list, or asks the source and stores what it gives: the list, unless
// it is of named jobs only, and each of its jobs as if it had been asked for when the
// list was. A job never goes back: what a list says of it is used only if the list's call
// began after the last look at the job ended.
func (s *Store) List(ctx context.Context, r upstream.ListRequest) (list *upstream.List, err error) {
	s.read(ctx, 1, func(int) (question, error) {
		if err := r.Check(); err != nil {
			return question{}, err
		}
		if s.lists == nil {
			return question{}, errNoLists
		}
		q := question{Request: r.Request, list: &r}
		q.Key = r.ListKey()
		return q, nil
	}, func(_ int, a answer) { list, err = a.list, a.err })
	return list, err
}

// fillBatch is how many jobs of a list are stored while all others wait: a list may have
// all jobs that are watched.
const fillBatch = 256

// fill stores the jobs of a list that a call gave in this turn. It has the mutex held, and lets
// others have it now and then. What a list says of a job is used only if its call began after
// the last look at the job ended: of two that were under way at the same time nobody knows
// which is the newer.
func (s *Store) fill(token number, c *call, list *upstream.List) {
	if s.opts.ActiveTTL == 0 && s.opts.SettledTTL == 0 {
		return
	}
	e := entry{turn: s.turn, began: c.began, ended: s.opts.Now()}
	account := s.tokenPages.at(token).key
	for i, job := range list.Jobs {
		if i%fillBatch == fillBatch-1 {
			s.mu.Unlock()
			runtime.Gosched() // who waits for the mutex gets it
			s.mu.Lock()
			if c.generation != s.tokenPages.at(token).generation {
				return // the token was refused meanwhile
			}
		}
		a := answer{job: job.EncodedJob}
		key := upstream.Key{Token: account, ID: job.At.ID}
		at := digestOf(key)
		n := s.slots[at]
		switch {
		case n != 0 && c.number > s.pages.at(n).ended:
		case n == 0 && c.number > s.dropped && s.lives(e, a):
			n = s.newSlot(at, key)
		default:
			continue
		}
		s.answer(n, c, e, a, false)
	}
}

// lives says whether the answer is still served when the call has ended: a long list may take
// longer than that.
func (s *Store) lives(e entry, a answer) bool {
	_, ttl := s.classify(e, a)
	return e.ended-e.began < int64(ttl)
}
