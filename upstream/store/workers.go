package store

import (
	"sync"
	"time"
)

// workerIdleTimeout is how long a goroutine waits for more work before it ends.
const workerIdleTimeout = 5 * time.Second

// workers runs each call in a goroutine of its own and uses the goroutines again: a
// new one grows its stack several times before it has read a job, which takes a tenth
// of a call. There are as many as calls have been under way at once.
type workers struct {
	work   chan func()
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
	idle := time.NewTimer(workerIdleTimeout)
	defer idle.Stop()
	for {
		work()
		idle.Reset(workerIdleTimeout)
		select {
		case work = <-w.work:
		case <-idle.C:
			return
		case <-w.closed:
			return
		}
	}
}

// close ends the goroutines when they have nothing to do.
func (w *workers) close() { w.once.Do(func() { close(w.closed) }) }

// wait is for the work that was under way when it was closed.
func (w *workers) wait() { w.ended.Wait() }
