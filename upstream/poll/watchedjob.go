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
	local int // subscribers of this instance: the Poller's mutex's

	poke    chan struct{} // holds one wish: look, if there is no state yet
	restate chan struct{} // holds one wish: store the state anew
	told    chan struct{} // holds one: there is a state of the fleet

	mu          sync.Mutex
	waiting     *SharedState    // the newest of the fleet's, until it is taken
	state       upstream.Result // nil before the first poll
	last        bool            // no state follows: the job has settled
	subscribers map[*subscriber]struct{}
}

func newWatchedJob(k upstream.Key, cancel context.CancelFunc) *watchedJob {
	w := &watchedJob{key: k, cancel: cancel,
		wake: make(chan struct{}, 1), seen: make(chan look, 1), poke: make(chan struct{}, 1),
		restate: make(chan struct{}, 1), told: make(chan struct{}, 1), subscribers: map[*subscriber]struct{}{}}
	w.listing.rank.Store(rankUnknown)
	return w
}

// add delivers the state that is known and all that follow to s; added is false where they were already.
func (w *watchedJob) add(s *subscriber) (added bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, subscribed := w.subscribers[s]
	w.subscribers[s] = struct{}{}
	s.put(w, w.state, w.last)
	return !subscribed
}

func (w *watchedJob) remove(s *subscriber) (left int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.subscribers, s)
	return len(w.subscribers)
}

func (w *watchedJob) wakeUp() { signal(w.wake) }

// tell leaves a state of the fleet for the job's goroutine, if none waits that is newer.
func (w *watchedJob) tell(state SharedState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil || state.At.after(w.waiting.At) {
		w.waiting = &state
	}
	signal(w.told)
}

// take takes the state that waits; nil: none does.
func (w *watchedJob) take() *SharedState {
	w.mu.Lock()
	defer w.mu.Unlock()
	state := w.waiting
	w.waiting = nil
	return state
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
	turn func() int64
}

// run looks until the job settles or ctx is done.
func (w *watchedJob) run(ctx context.Context, bounds bounds, by looks) {
	schedule := schedule{bounds: bounds}
	share := sharing{member: w.of.member, id: w.key.ID, own: none}
	timer := time.NewTimer(bounds.longest)
	defer timer.Stop()
	// A timer of 0 would do, but for tests: under the race detector testing/synctest crashes
	// where two goroutines find their timers run out at the same time.
	now := make(chan struct{}, 1)
	signal(now)
	var last look
	agreed := false // a list has said what is known
	for {
		var seen look
		select {
		case <-timer.C:
			signal(now)
			continue
		case <-now:
			if share.relies(ctx, last.state != nil) {
				timer.Reset(share.wait(&schedule, last.state))
				continue
			}
			seen = w.due(ctx, last, by)
		case <-w.poke:
			if last.state == nil {
				signal(now)
			}
			continue
		case <-w.restate:
			if !share.restate(ctx, last) {
				signal(now)
			}
			continue
		case <-w.told:
			state := w.take()
			if state == nil {
				continue
			}
			switch share.judge(*state, w.known()) {
			case ignore:
				continue
			case verify:
				verifying := by
				verifying.info = func() look {
					w.take() // what was told before the look would have to be verified, too, and so on
					return by.info()
				}
				seen = soon(ctx, last, verifying)
			case accept:
				// What this instance asks of the job API before now says nothing new.
				last, agreed = look{state: state.State, at: time.Now(), ended: by.turn()}, false
				changed := w.publish(state.State, state.Last)
				if state.Last {
					return
				}
				next := schedule.next(state.State, changed)
				w.note(last, next)
				timer.Reset(next)
				continue
			}
		case <-w.wake:
			schedule.restart()
			seen = soon(ctx, last, by)
		case seen = <-w.seen:
			// A state never goes back: a list is used only if it began after the last look
			// ended.
			if seen.began <= last.ended {
				continue
			}
		case <-ctx.Done():
			if w.of.ctx.Err() == nil {
				share.remove()
			}
			return
		}
		seen, agreed = w.checked(seen, agreed, by)
		if seen.state == nil {
			if ctx.Err() != nil && w.of.ctx.Err() == nil {
				share.remove()
			}
			return
		}
		ended := settled(seen.state, seen.at)
		if !share.store(ctx, seen, ended) {
			timer.Reset(bounds.shortest)
			continue
		}
		last = seen
		changed := w.publish(seen.state, ended)
		if ended {
			return
		}
		next := schedule.next(seen.state, changed)
		w.note(seen, next)
		timer.Reset(next)
	}
}

// soon looks at the job by Info, when it may be looked at again.
func soon(ctx context.Context, last look, by looks) look {
	if !sleep(ctx, wakeGap-time.Since(last.at)) {
		return look{}
	}
	return by.info()
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
