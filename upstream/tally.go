package upstream

import "sync/atomic"

// Tally counts what was done for one operation. It is safe for concurrent use; a nil one
// counts nothing.
type Tally struct {
	// Jobs were asked of the store, each distinct id once. Of them Cached needed no call,
	// and Coalesced shared one that another operation had begun.
	Jobs, Cached, Coalesced atomic.Int64
	// Calls are requests of the job API, Retries among them.
	Calls, Retries atomic.Int64
	waits          Waits
}

// Waits are those for what other instances share: they are bounded.
func (t *Tally) Waits() *Waits {
	if t == nil {
		return nil
	}
	return &t.waits
}

// Asked counts a job.
func (t *Tally) Asked(cached, coalesced bool) {
	if t == nil {
		return
	}
	t.Jobs.Add(1)
	if cached {
		t.Cached.Add(1)
	}
	if coalesced {
		t.Coalesced.Add(1)
	}
}

func (t *Tally) called(retry int) {
	if t == nil {
		return
	}
	t.Calls.Add(1)
	if retry > 0 {
		t.Retries.Add(1)
	}
}
