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
	wake   chan struct{} // holds one wish: more in a row are the same one

	mu          sync.Mutex
	state       upstream.Result // nil before the first poll
	last        bool            // no state follows: the job has settled
	subscribers map[*subscriber]struct{}
}

func newWatchedJob(k upstream.Key, cancel context.CancelFunc) *watchedJob {
	return &watchedJob{key: k, cancel: cancel,
		wake: make(chan struct{}, 1), subscribers: map[*subscriber]struct{}{}}
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

// run polls until the job settles or ctx is done.
func (w *watchedJob) run(ctx context.Context, bounds bounds, poll func() upstream.Result) {
	schedule := schedule{bounds: bounds}
	timer := time.NewTimer(0)
	defer timer.Stop()
	var polled time.Time
	for {
		select {
		case <-timer.C:
		case <-w.wake:
			schedule.restart()
			if !sleep(ctx, wakeGap-time.Since(polled)) {
				return
			}
		case <-ctx.Done():
			return
		}
		polled = time.Now()
		state := poll()
		if state == nil {
			return
		}
		last := settled(state, polled)
		changed := w.publish(state, last)
		if last {
			return
		}
		timer.Reset(schedule.next(state, changed))
	}
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
