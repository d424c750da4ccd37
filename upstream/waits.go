package upstream

import (
	"sync"
	"time"
)

// Waits measures for how long one wait or more were under way: what they cost whoever waits
// for all of them, one after the other or at once. It is safe for concurrent use; a nil one
// measures nothing.
type Waits struct {
	mu       sync.Mutex
	underWay int
	began    time.Time // of the first of those under way
	ended    time.Duration
}

// Begin begins a wait, and says how much time waits have taken so far. End ends it.
func (w *Waits) Begin() time.Duration {
	if w == nil {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.underWay++; w.underWay == 1 {
		w.began = time.Now()
		return w.ended
	}
	return w.ended + time.Since(w.began)
}

// End ends a wait.
func (w *Waits) End() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.underWay--; w.underWay == 0 {
		w.ended += time.Since(w.began)
	}
}
