package store

import (
	"context"
	"errors"

	"jobgraph/upstream"
)

var errNoLists = errors.New("the source gives no lists")

// List gives the cached list, or asks the source and stores what it gives: the list, unless
// it is of named jobs only, and each of its jobs as if it had been asked for when the
// list was. A job never goes back: see [Store.fill].
func (s *Store) List(ctx context.Context, r upstream.ListRequest) (*upstream.List, error) {
	err := r.Check()
	if err == nil && s.lists == nil {
		err = errNoLists
	}
	if err != nil {
		ReadSetFrom(ctx).fail(err)
		return nil, err
	}
	q := question{Request: r.Request, list: &r}
	q.Key = r.ListKey()
	a := s.read(ctx, q)
	return a.list, a.err
}

// fill, with the mutex held, stores the jobs of a list that a call gave. What a list says of a job is used only
// if its call began after the last look at the job ended: of two that were under way at
// the same time nobody knows which is the newer.
func (s *Store) fill(token number, c *call, list *upstream.List) {
	if s.opts.ActiveTTL == 0 && s.opts.SettledTTL == 0 {
		return
	}
	now, account := s.opts.Now(), s.tokenPages.at(token).key
	for _, job := range list.Jobs {
		key := upstream.Key{Token: account, ID: job.At.ID}
		at := digestOf(key)
		n := s.slots[at]
		switch {
		case n == 0 && c.number > s.dropped:
			n = s.newSlot(at, key)
		case n == 0 || c.number <= s.pages.at(n).ended:
			continue
		}
		s.answer(n, c, entry{turn: s.turn, began: c.began, ended: now}, answer{job: job.EncodedJob}, false)
	}
}
