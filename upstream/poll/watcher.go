package poll

import (
	"context"
	"sync"
	"time"

	"jobgraph/upstream"
)

// watcher looks at one job with one token, for all its subscribers.
type watcher struct {
	key    upstream.Key
	cancel context.CancelFunc
	wake   chan struct{} // holds one wish: more in a row are the same one

	mu          sync.Mutex
	state       upstream.Result // nil before the first look
	last        bool            // no state follows: the job has settled
	subscribers map[*subscriber]struct{}
}

func newWatcher(k upstream.Key, cancel context.CancelFunc) *watcher {
	return &watcher{key: k, cancel: cancel,
		wake: make(chan struct{}, 1), subscribers: map[*subscriber]struct{}{}}
}

// add gives s the state that is known and all that follow.
func (w *watcher) add(s *subscriber) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subscribers[s] = struct{}{}
	s.put(w, w.state, w.last)
}

func (w *watcher) remove(s *subscriber) (left int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.subscribers, s)
	return len(w.subscribers)
}

func (w *watcher) wakeUp() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run looks until the job settles or ctx is done.
func (w *watcher) run(ctx context.Context, pace pace, look func() upstream.Result) {
	rhythm := rhythm{pace: pace}
	timer := time.NewTimer(0)
	defer timer.Stop()
	var looked time.Time
	for {
		select {
		case <-timer.C:
		case <-w.wake:
			rhythm.restart()
			if !sleep(ctx, wakeGap-time.Since(looked)) {
				return
			}
		case <-ctx.Done():
			return
		}
		looked = time.Now()
		state := look()
		if state == nil {
			return
		}
		last := settled(state, looked)
		changed := w.publish(state, last)
		if last {
			return
		}
		timer.Reset(rhythm.next(state, changed))
	}
}

// publish gives a state that differs from the one before to all subscribers, and the
// last one even where it does not: time alone may settle a job. Whether a state is the
// last is decided here, once for all: a subscriber's clock would be another.
func (w *watcher) publish(state upstream.Result, last bool) (changed bool) {
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
