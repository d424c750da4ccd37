package store

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// workerIdleTimeout is how long a goroutine waits for more work before it ends.
	workerIdleTimeout = 5 * time.Second
	// maxIdleWorkers bounds how many wait: a rush of calls leaves no more of them behind.
	maxIdleWorkers = 64
)

// workers runs each call in a goroutine of its own and uses the goroutines again: a
// new one grows its stack several times before it has read a job, which takes a tenth
// of a call.
type workers struct {
	work   chan func()
	idle   atomic.Int64
	closed chan struct{}
	once   sync.Once // closes it
	ended  sync.WaitGroup
}

func newWorkers() *workers {
	return &workers{work: make(chan func()), closed: make(chan struct{})}
}

// run does not wait: where no goroutine is idle, it starts one. Once closed, nobody waits for
// what is run. It and close exclude each other.
func (w *workers) run(work func()) {
	select {
	case <-w.closed:
		go work()
	case w.work <- work:
	default:
		w.ended.Go(func() { w.loop(work) })
	}
}

func (w *workers) loop(work func()) {
	timeout := time.NewTimer(workerIdleTimeout)
	defer timeout.Stop()
	for work != nil {
		work()
		work = w.next(timeout)
	}
}

// next is nil where the goroutine ends.
func (w *workers) next(timeout *time.Timer) (work func()) {
	defer w.idle.Add(-1)
	if w.idle.Add(1) > maxIdleWorkers {
		return nil
	}
	timeout.Reset(workerIdleTimeout)
	select {
	case work = <-w.work:
	case <-timeout.C:
	case <-w.closed:
	}
	return work
}

// close ends the goroutines when they have nothing to do.
func (w *workers) close() { w.once.Do(func() { close(w.closed) }) }

// wait is for the work that was under way when it was closed.
func (w *workers) wait() { w.ended.Wait() }
