// Package paging cuts a list of jobs into pages, which the job API does not: it lists all
// jobs that a filter lets through, in one answer. A page asks for the jobs of a window of
// creation dates that ends where the page before ended (a keyset), and for older windows
// until it is full. [Pager.Page] is the way in.
//
// Windows are guessed: they grow where they hold too few jobs, and a list that has many
// more than are wanted is cut, and its window shrinks. So a page costs the bytes of about
// its own jobs, however many there are.
package paging

import (
	"context"
	"time"

	"jobgraph/upstream"
)

// MaxCalls is how many calls of the job API one page makes at most.
const MaxCalls = 12

// Request asks for a page.
type Request struct {
	upstream.Request // its key has no id
	// Filter lets jobs through; nil: all.
	Filter *upstream.Filter
	// First is how many jobs the page has at most; 1 at least.
	First int
	// After is the place that the page follows; nil: it begins with the newest job.
	After *Cursor
}

// Page is a part of a list, newest first.
type Page struct {
	Jobs []upstream.ListedJob
	// Cursors are the jobs' places.
	Cursors []Cursor
	// More says that jobs follow.
	More bool
}

// Pager cuts the lists of a source. It is safe for concurrent use.
type Pager struct {
	Source upstream.Lister
	// Timeout bounds one page, all of its calls together; 0: each call has its own alone.
	Timeout time.Duration
	// Now is for tests; nil: the system's clock.
	Now func() time.Time
}

// Page gives the page. The error is the source's.
func (p *Pager) Page(ctx context.Context, r Request) (*Page, error) {
	if deadline := time.Now().Add(p.Timeout); p.Timeout > 0 && (r.Deadline.IsZero() || deadline.Before(r.Deadline)) {
		r.Deadline = deadline
	}
	w := p.newWalk(r)
	for calls := 1; w.wanted() > 0 && !w.ended; calls++ {
		if calls > MaxCalls { // the last list was cut all the same
			return nil, &upstream.Error{Type: upstream.Malformed,
				Comment: "The jobs of this page have too many bytes. Ask for fewer at a time, or filter for fewer jobs."}
		}
		list, err := p.Source.List(ctx, w.next(calls == MaxCalls))
		if err != nil {
			return nil, err
		}
		w.take(list)
	}
	return w.page(), nil
}
