package upstream

import (
	"context"
	"sync"
)

// flights lets callers who want the same thing at the same time share one call.
type flights struct {
	mu      sync.Mutex
	running map[flightKey]*flight
	ended   sync.WaitGroup
}

// flightKey names a job as one token sees it: nobody gets what was fetched with
// another's token.
type flightKey struct {
	token tokenKey
	id    string
}

// flight is one call under way.
type flight struct {
	callers int // guarded by flights.mu
	cancel  context.CancelFunc
	landed  chan struct{} // closed when job and err are set
	job     *Job
	err     error
}

func newFlights() *flights { return &flights{running: map[flightKey]*flight{}} }

// do joins the call for the key or begins it; a [Fresh] caller begins one, which
// those who come later join. The call belongs to all who wait:
// one that leaves ends its own wait alone, and the last one stops the call. The
// call has the first caller's values but not its end; joined says that it was
// begun by another.
func (f *flights) do(ctx context.Context, key flightKey, call func(context.Context) (*Job, error)) (job *Job, joined bool, err error) {
	f.mu.Lock()
	shared, joined := f.running[key]
	if joined = joined && !IsFresh(ctx); !joined {
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

func (f *flights) begin(ctx context.Context, key flightKey, call func(context.Context) (*Job, error)) *flight {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	started := &flight{cancel: cancel, landed: make(chan struct{})}
	f.running[key] = started
	f.ended.Go(func() {
		defer cancel()
		started.job, started.err = call(ctx)
		f.forget(key, started)
		close(started.landed)
	})
	return started
}

// leave is one caller's going. A call that nobody waits for is stopped and
// forgotten at once: who comes later must not join what is about to fail.
func (f *flights) leave(key flightKey, left *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	left.callers--
	if left.callers > 0 {
		return
	}
	if f.running[key] == left {
		delete(f.running, key)
	}
	left.cancel()
}

func (f *flights) forget(key flightKey, gone *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running[key] == gone {
		delete(f.running, key)
	}
}

// close stops the calls under way and waits for their ends.
func (f *flights) close() {
	f.mu.Lock()
	for _, running := range f.running {
		running.cancel()
	}
	f.mu.Unlock()
	f.ended.Wait()
}
