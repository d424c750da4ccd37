package upstream

import (
	"context"
	"errors"
	"sync"
)

// flights lets callers who want the same thing at the same time share one call.
type flights struct {
	mu      sync.Mutex
	running map[flightKey]*route
	workers *workers
}

// route is what is known of a key while calls for it are under way.
type route struct {
	open    *flight // who comes now joins it; nil: all have left it
	running int
	begun   int // how many have begun since there is a route
	said    int // which of them began last of those that upstream has answered
}

// flightKey names a job as one token sees it: nobody gets what was fetched with
// another's token.
type flightKey struct {
	token tokenKey
	id    string
}

// flight is one call under way.
type flight struct {
	keeper  Keeper
	number  int // on its route, from 1
	callers int // guarded by flights.mu
	cancel  context.CancelFunc
	landed  chan struct{} // closed when job and err are set
	job     *Job
	err     error
}

func newFlights() *flights { return &flights{running: map[flightKey]*route{}, workers: newWorkers()} }

// do joins the call for the key or begins it; a [Fresh] caller begins one, which
// those who come later join. The call belongs to all who wait:
// one that leaves ends its own wait alone, and the last one stops the call. The
// call has the first caller's values but not its end; joined says that it was
// begun by another.
func (f *flights) do(ctx context.Context, key flightKey, call func(context.Context) (*Job, error)) (job *Job, joined bool, err error) {
	f.mu.Lock()
	shared := f.open(key)
	if joined = shared != nil && !IsFresh(ctx); !joined {
		shared = f.begin(ctx, key, call)
	}
	shared.callers++
	f.mu.Unlock()
	select {
	case <-shared.landed:
		return shared.job, joined, shared.err
	case <-ctx.Done():
		f.leave(key, shared)
		return nil, joined, context.Cause(ctx)
	}
}

// open is the call that may be joined, nil where there is none.
func (f *flights) open(key flightKey) *flight {
	if l := f.running[key]; l != nil {
		return l.open
	}
	return nil
}

func (f *flights) begin(ctx context.Context, key flightKey, call func(context.Context) (*Job, error)) *flight {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l := f.running[key]
	if l == nil {
		l = &route{}
		f.running[key] = l
	}
	l.begun++
	l.running++
	started := &flight{keeper: KeeperFrom(ctx), number: l.begun, cancel: cancel, landed: make(chan struct{})}
	l.open = started
	started.keeper.CallBegun()
	f.workers.run(func() {
		defer cancel()
		started.job, started.err = call(ctx)
		f.end(key, started)
		close(started.landed)
	})
	return started
}

// leave is one caller's going. A call that nobody waits for is stopped, and not
// joined any more: who comes later must not join what is about to fail.
func (f *flights) leave(key flightKey, left *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	left.callers--
	if left.callers > 0 {
		return
	}
	if l := f.running[key]; l != nil && l.open == left {
		l.open = nil
	}
	left.cancel()
}

// end has the answer kept, unless a call that began later has one already: what it saw
// must not be hidden.
func (f *flights) end(key flightKey, gone *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.running[key]
	if l.open == gone {
		l.open = nil
	}
	if gone.number > l.said && answered(gone.err) {
		l.said = gone.number
		gone.keeper.CallEnded(gone.job, gone.err)
	}
	if l.running--; l.running == 0 {
		delete(f.running, key)
	}
}

// answered says whether upstream has said what it knows of the job.
func answered(err error) bool {
	var failed *Error
	return err == nil || errors.As(err, &failed) && !failed.Retryable()
}

// close stops the calls under way and waits for their ends.
func (f *flights) close() {
	f.mu.Lock()
	for _, l := range f.running {
		if l.open != nil {
			l.open.cancel()
		}
	}
	f.mu.Unlock()
	f.workers.close()
}
