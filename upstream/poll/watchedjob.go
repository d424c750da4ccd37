package poll

import (
	"context"
	"sync"
	"time"

	"jobgraph/upstream"
)

// watchedJob is polled with one token, for all its subscribers.
type watchedJob struct {
	key    upstream.Key
	cancel context.CancelFunc
	of     *tokenJobs
	wake   chan struct{} // holds one wish: more in a row are the same one
	seen   chan look     // holds the newest of the token's rounds
	listing

	mu          sync.Mutex
	state       upstream.Result // nil before the first poll
	last        bool            // no state follows: the job has settled
	subscribers map[*subscriber]struct{}
}

func newWatchedJob(k upstream.Key, cancel context.CancelFunc) *watchedJob {
	w := &watchedJob{key: k, cancel: cancel,
		wake: make(chan struct{}, 1), seen: make(chan look, 1), subscribers: map[*subscriber]struct{}{}}
	w.listing.rank.Store(rankUnknown)
	return w
}

// add delivers the state that is known and all that follow to s.
func (w *watchedJob) add(s *subscriber) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subscribers[s] = struct{}{}
	s.put(w, w.state, w.last)
}

func (w *watchedJob) remove(s *subscriber) (left int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.subscribers, s)
	return len(w.subscribers)
}

func (w *watchedJob) wakeUp() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// show leaves a round's look for the job's goroutine. One round at a time does.
func (w *watchedJob) show(seen look) {
	select {
	case <-w.seen:
	default:
	}
	w.seen <- seen
}

// looks are the ways to look at a job.
type looks struct {
	join func() *round
	info func() look // without a state where ctx ended first
	lags func()      // a list told of an earlier state
}

// run looks until the job settles or ctx is done.
func (w *watchedJob) run(ctx context.Context, bounds bounds, by looks) {
	schedule := schedule{bounds: bounds}
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last look
	agreed := false // a list has said what is known
	for {
		var seen look
		select {
		case <-timer.C:
			seen = w.due(ctx, last, by)
		case <-w.wake:
			schedule.restart()
			if !sleep(ctx, wakeGap-time.Since(last.at)) {
				return
			}
			seen = by.info()
		case seen = <-w.seen:
			// A state never goes back: a list is used only if it began after the last look
			// ended.
			if seen.began <= last.ended {
				continue
			}
		case <-ctx.Done():
			return
		}
		seen, agreed = w.checked(seen, agreed, by)
		if seen.state == nil {
			return
		}
		last = seen
		ended := settled(seen.state, seen.at)
		changed := w.publish(seen.state, ended)
		if ended {
			return
		}
		next := schedule.next(seen.state, changed)
		w.note(seen, next)
		timer.Reset(next)
	}
}

// due looks at the job by its token's round, or else by itself.
func (w *watchedJob) due(ctx context.Context, last look, by looks) look {
	r := by.join()
	if r == nil {
		return by.info()
	}
	for {
		var seen look
		select {
		case seen = <-w.seen:
		case <-r.done:
			select {
			case seen = <-w.seen: // it was shown before the round was done
			default:
				return by.info()
			}
		case <-ctx.Done():
			return look{}
		}
		if seen.began > last.ended {
			return seen
		}
	}
}

// checked is the look, or the one by Info that it needs: of a job that has left the lists,
// and of one of which a list may tell what was before. agreed says whether a list has said
// what is known then.
func (w *watchedJob) checked(seen look, agreed bool, by looks) (look, bool) {
	known := w.known()
	switch {
	case !seen.byList:
		return seen, agreed && seen.state != nil && same(known, seen.state)
	case seen.state == nil:
		left := by.info()
		job, isJob := left.state.(*upstream.EncodedJob)
		w.listing.left.Store(isJob && rank(job.Status()) < rankEnd)
		return left, false
	case stale(known, seen.state, agreed):
		checked := by.info()
		if checked.state != nil && !same(checked.state, seen.state) {
			by.lags()
		}
		return checked, false
	}
	w.listing.left.Store(false)
	return seen, true
}

func (w *watchedJob) known() upstream.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// note tells rounds of the job.
func (w *watchedJob) note(seen look, next time.Duration) {
	if job, ok := seen.state.(*upstream.EncodedJob); ok {
		w.listing.rank.Store(int32(rank(job.Status())))
	}
	w.listing.interval.Store(int64(next))
	w.listing.lookedAt.Store(seen.at.UnixNano())
}

// publish gives a state that differs from the one before to all subscribers, and the
// last one even where it does not: time alone may settle a job. Whether a state is the
// last is decided here, once for all: a subscriber's clock would be another.
func (w *watchedJob) publish(state upstream.Result, last bool) (changed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	changed = !same(w.state, state)
	if !changed && !last {
		return false
	}
	w.state, w.last = state, last
	for s := range w.subscribers {
		s.put(w, state, last)
	}
	return changed
}

// sleep is false where ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
