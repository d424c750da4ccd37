package budget

import "sync"

// An Answer is the bytes of one answer. They count once, however many hold the
// answer, until the last holder has released it. It is safe for concurrent use.
type Answer struct {
	budget *Budget

	mu      sync.Mutex
	size    int64 // reserved, where there is a holder
	jobs    int64 // of it, for the jobs that the answer is made of
	holders int
	refused error // the first that was: nothing more is reserved
}

// Reserve makes room for more bytes, all or none. After a refusal every other one
// has the same error.
func (a *Answer) Reserve(bytes int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.refused != nil:
	case int64(bytes) > a.budget.each-(a.size-a.jobs):
		a.refused = ErrTooLarge
	default:
		a.refused = a.grow(int64(bytes))
	}
	return a.refused
}

// ReserveJob is Reserve for a job that the answer is made of. An operation holds all of
// its jobs until Resize, however little it selects of them.
func (a *Answer) ReserveJob(bytes int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.refused != nil:
	case int64(bytes) > a.budget.each-a.jobs:
		a.refused = ErrJobsTooLarge
	default:
		if a.refused = a.grow(int64(bytes)); a.refused == nil {
			a.jobs += int64(bytes)
		}
	}
	return a.refused
}

// Resize has the answer count for the memory that it has come to have, without its jobs.
func (a *Answer) Resize(bytes int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refused == nil {
		a.refused = a.grow(int64(bytes) - a.size)
		a.jobs = 0
	}
	return a.refused
}

func (a *Answer) grow(bytes int64) error {
	switch {
	case a.holders == 0: // counts when it is held again
	case bytes < 0:
		a.budget.release(-bytes)
	case !a.budget.acquire(bytes):
		return ErrOverloaded
	}
	a.size += bytes
	return nil
}

// Size is how many bytes are reserved, or will be with a holder, the jobs that it is made
// of aside.
func (a *Answer) Size() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return int(a.size - a.jobs)
}

// Err is what a reservation was refused with; nil: none was.
func (a *Answer) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused
}

// Acquire adds a holder. Where there was none, the answer's bytes are reserved anew,
// which may fail.
func (a *Answer) Acquire() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.holders == 0 && !a.budget.acquire(a.size) {
		return ErrOverloaded
	}
	a.holders++
	return nil
}

// Release takes a holder away, and with the last one the bytes.
func (a *Answer) Release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.holders--
	switch {
	case a.holders == 0:
		a.budget.release(a.size)
	case a.holders < 0:
		panic("budget: an answer was released more often than acquired")
	}
}
