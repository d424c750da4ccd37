package paging

import (
	"math"
	"time"

	"jobgraph/upstream"
)

const (
	// firstWindow is the width of the first window, where nothing is known of the list.
	firstWindow = 24 * time.Hour
	// growth is by how much the next window is wider or narrower, of one that was empty or
	// too full; after several that were empty, by more and more.
	growth = 16
	// readAhead is how many times the jobs that are wanted are read of a list before it is
	// cut.
	readAhead = 4
	// surplus is how many times the jobs that are wanted a window is meant to have.
	surplus = 1.15
	// maxWindow is wider than any list.
	maxWindow = 100 * 365 * 24 * time.Hour
	// maxUndated is how many jobs may stand before those without a creation date, which no
	// window has: to find them is to list all jobs.
	maxUndated = 1000
	// epochYear is when there were no jobs yet: a window that begins before has no beginning.
	epochYear = 2000
)

// walk is one page's way through the windows, from the newest to the oldest.
//
// Invariant: jobs are all jobs behind the cursor that the list has down to the last window
// that was taken, up to one more than the page has.
type walk struct {
	Request
	jobs []upstream.ListedJob

	// from and to are the window's ends, both included; nil: it has none. Jobs created
	// after to have been taken.
	from, to *time.Time
	// edge is where the width is measured from: to, or about the newest job.
	edge  time.Time
	width time.Duration
	empty int // windows in a row
	// exact is where the next window begins: so many jobs as are wanted were seen after it.
	exact *time.Time
	// whole has the window's list read to its end, however long it is.
	whole bool
	// all is the list without any window, which alone has jobs without a date; long says
	// that it has more jobs than are read for that.
	all, long bool
	// final says that no window follows, ended that the last one was taken.
	final, ended bool
}

func (p *Pager) newWalk(r Request) *walk {
	w := &walk{Request: r, edge: time.Now(), width: firstWindow}
	if p.Now != nil {
		w.edge = p.Now()
	}
	if own := w.created(); own != nil && own.To != nil {
		if w.to = own.To; own.To.Before(w.edge) {
			w.edge = *own.To
		}
	}
	switch {
	case r.After == nil:
	case r.After.Created == upstream.Undated:
		w.all, w.whole = true, true
	default:
		if after := time.UnixMicro(r.After.Created).UTC(); w.to == nil || after.Before(*w.to) {
			w.to, w.edge = &after, after
		}
		if r.After.Pace > 0 {
			w.width = clampWidth(float64(r.After.Pace) * float64(time.Microsecond) * surplus * float64(w.wanted()))
		}
	}
	return w
}

// created is the filter's own window; nil: it has none.
func (w *walk) created() *upstream.DateRange {
	if w.Filter == nil || w.Filter.Created == nil || w.Filter.Created.From == nil && w.Filter.Created.To == nil {
		return nil
	}
	return w.Filter.Created
}

// wanted is how many jobs are missing: one more than the page has says that there are more.
func (w *walk) wanted() int { return w.First + 1 - len(w.jobs) }

// passed is how many jobs stand before the cursor.
func (w *walk) passed() int {
	if w.After == nil {
		return 0
	}
	return w.After.Passed
}

// next is the request for the next window; last says that no other call may follow.
func (w *walk) next(last bool) upstream.ListRequest {
	w.open(last)
	request := upstream.ListRequest{Request: w.Request.Request, Filter: w.filter()}
	if w.After != nil {
		request.After = &w.After.Position
	}
	request.Most = w.wanted()
	if w.all { // what the windows had is there again
		request.Most = w.First + 1
	}
	switch {
	case w.whole:
	case w.all:
		request.Read = maxUndated + readAhead*(w.First+1)
	default:
		request.Read = readAhead * (w.First + 1)
	}
	return request
}

// open says where the window begins. The last one has everything that is left.
func (w *walk) open(last bool) {
	if w.all {
		return
	}
	from := w.begin()
	own := w.created()
	w.whole = w.whole || last || w.edge.Sub(from) <= time.Second
	switch w.final = true; {
	case own != nil && own.From != nil:
		if w.final = last || !from.After(*own.From); w.final {
			from = *own.From
		}
		w.from = &from
	case last || from.Year() < epochYear:
		w.from = nil
		w.all = own == nil && !w.long && w.passed()+len(w.jobs) <= maxUndated
	default:
		w.from, w.final = &from, false
	}
}

// begin is a whole second, as the job API's filters have them.
func (w *walk) begin() time.Time {
	if w.exact != nil {
		return *w.exact
	}
	from := w.edge.Add(-w.width)
	if w.After == nil && len(w.jobs) == 0 { // those who ask at about the same time ask for the same
		from = from.Truncate(w.width / growth)
	}
	return from.Truncate(time.Second)
}

func (w *walk) filter() *upstream.Filter {
	if w.all || w.from == nil && w.to == nil {
		return w.Filter
	}
	var window upstream.Filter
	if w.Filter != nil {
		window = *w.Filter
	}
	window.Created = &upstream.DateRange{From: w.from, To: w.to}
	return &window
}

// take takes the list of the window that next asked for.
func (w *walk) take(list *upstream.List) {
	switch {
	case w.all && list.Cut:
		w.all, w.long = false, true
	case w.all:
		w.jobs, w.ended = list.Jobs, true
	case list.Cut:
		w.shrink(list)
	default:
		w.jobs = append(w.jobs, list.Jobs...)
		if w.ended = w.final; !w.ended {
			w.older(len(list.Jobs))
		}
	}
}

// shrink makes the window narrower, whose list was cut. Where the list has come in its
// documented order so far, as many jobs as are wanted are in the window that begins with the
// last of them: it is asked for, as the order of the rest is not known. A second is not
// divided: its list is read whole.
func (w *walk) shrink(list *upstream.List) {
	begin := w.begin()
	w.exact = nil
	if list.Ordered && len(list.Jobs) == w.wanted() {
		oldest := time.UnixMicro(list.Jobs[len(list.Jobs)-1].At.Created).UTC().Truncate(time.Second)
		w.exact = &oldest
		w.whole = !oldest.After(begin)
		return
	}
	w.width = clampWidth(float64(w.edge.Sub(begin)) / growth)
}

// older moves on to the next window, as wide as what is wanted seems to need.
func (w *walk) older(found int) {
	width := float64(w.edge.Sub(*w.from))
	var times float64
	if found > 0 {
		w.empty = 0
		times = min(max(surplus*float64(w.wanted())/float64(found), 1.0/growth), growth)
	} else {
		w.empty++
		times = math.Pow(growth, float64(w.empty))
	}
	w.width = clampWidth(width * times)
	to := w.from.Add(-time.Microsecond)
	w.to, w.edge, w.exact, w.whole = &to, to, nil, false
}

func clampWidth(width float64) time.Duration {
	return time.Duration(min(max(width, float64(time.Second)), float64(maxWindow)))
}

func (w *walk) page() *Page {
	page := &Page{Jobs: w.jobs, More: len(w.jobs) > w.First}
	pace := w.pace()
	if page.More {
		page.Jobs = page.Jobs[:w.First]
	}
	for i, job := range page.Jobs {
		page.Cursors = append(page.Cursors, Cursor{job.At, w.passed() + i + 1, pace})
	}
	return page
}

// pace is the page's, or where that is none, that of the page before.
func (w *walk) pace() int64 {
	dated := w.jobs
	for len(dated) > 0 && dated[len(dated)-1].At.Created == upstream.Undated {
		dated = dated[:len(dated)-1]
	}
	if n := len(dated); n > 1 {
		if pace := (dated[0].At.Created - dated[n-1].At.Created) / int64(n-1); pace > 0 {
			return min(pace, maxPace)
		}
	}
	if w.After != nil {
		return w.After.Pace
	}
	return 0
}
