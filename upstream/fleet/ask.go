package fleet

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"jobgraph/upstream"
)

// Work is one exchange with Redis, or a few. Its context ends after a second, or with the fleet.
type Work[T any] func(ctx context.Context, redis rueidis.Client) (T, error)

// Ask does the work and waits for it no longer than Options.MaxWait, of which those that an
// operation asked before, or asks at the same time, have their parts; nil waits: there are none. bytes are about
// what it sends and receives. Work that comes too late is still done, and its result is dropped. Errors
// are [ErrSkipped], [ErrLate], the work's own, or ctx's.
func Ask[T any](ctx context.Context, f *Fleet, waits *upstream.Waits, bytes int, work Work[T]) (T, error) {
	wait := min(f.guard.wait(), f.opts.MaxWait-waits.Begin())
	defer waits.End()
	return do(ctx, f, &f.guard.reads, wait, bytes, work)
}

// askBefore is Ask for what stands before an operation, whose own waits are still to come.
func askBefore[T any](ctx context.Context, f *Fleet, bytes int, work Work[T]) (T, error) {
	return do(ctx, f, &f.guard.reads, min(f.guard.wait(), f.opts.MaxWait*4/15), bytes, work)
}

// Run is Ask for what no query waits for, such as the renewal of a lease: it waits for a second.
func Run[T any](ctx context.Context, f *Fleet, bytes int, work Work[T]) (T, error) {
	wait := f.guard.wait()
	if wait > 0 {
		wait = commandTimeout
	}
	return do(ctx, f, &f.guard.writes, wait, bytes, work)
}

// Later does the work when it returns, and tells nobody what became of it. It says whether it
// will: not where Redis fails, or where too much is under way already.
func (f *Fleet) Later(bytes int, work func(ctx context.Context, redis rueidis.Client) error) bool {
	if f.guard.wait() == 0 {
		f.guard.observer.CommandDone("SKIPPED", 0)
		return false
	}
	_, started := start(f, &f.guard.writes, bytes, func(ctx context.Context, redis rueidis.Client) (struct{}, error) {
		return struct{}{}, work(ctx, redis)
	})
	return started
}

func do[T any](ctx context.Context, f *Fleet, in *room, wait time.Duration, bytes int, work Work[T]) (nothing T, err error) {
	if wait <= 0 {
		f.guard.observer.CommandDone("SKIPPED", 0)
		return nothing, ErrSkipped
	}
	call, started := start(f, in, bytes, work)
	if !started {
		return nothing, ErrSkipped
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-call.done:
		return call.result, call.err
	case <-timer.C:
		// Who had less time left than Redis is given says nothing of it yet.
		if left := f.guard.late() - time.Since(call.began); left > 0 {
			time.AfterFunc(left, func() { call.judge(ErrLate) })
		} else {
			call.judge(ErrLate)
		}
		return nothing, ErrLate
	case <-ctx.Done():
		return nothing, ctx.Err()
	}
}

// asked is work under way.
type asked[T any] struct {
	fleet *Fleet
	began time.Time
	read  bool
	// judged is set by the first who knows whether it failed: that the caller waited in vain,
	// or the work itself.
	judged atomic.Bool
	done   chan struct{}
	result T
	err    error
}

// start does the work in a goroutine of its own: rueidis may wait for a connection that
// another command makes, and does not look at the context then.
func start[T any](f *Fleet, in *room, bytes int, work Work[T]) (*asked[T], bool) {
	client := f.client.Load()
	if client == nil || !in.take(bytes) {
		f.guard.observer.CommandDone("SKIPPED", 0)
		return nil, false
	}
	call := &asked[T]{fleet: f, began: time.Now(), read: in == &f.guard.reads, done: make(chan struct{})}
	started := f.goOwned(func() {
		defer in.give(bytes)
		ctx, cancel := context.WithTimeout(f.ctx, commandTimeout)
		defer cancel()
		call.result, call.err = work(ctx, *client)
		close(call.done)
		err := call.err
		if !fails(err) && time.Since(call.began) > f.guard.late() {
			err = errSlow
		}
		call.judge(err)
	})
	if !started {
		in.give(bytes)
	}
	return call, started
}

// judge records what became of the work, once.
func (c *asked[T]) judge(err error) {
	if !c.judged.CompareAndSwap(false, true) || c.fleet.ctx.Err() != nil {
		return
	}
	if err != errSlow || c.read { // how slow a write is tells nothing of Redis
		c.fleet.guard.record(err)
	}
	outcome := "OK"
	switch {
	case err == ErrLate || err != nil && context.DeadlineExceeded == err:
		outcome = "TIMEOUT"
	case err == errSlow, err == nil, rueidis.IsRedisNil(err):
	default:
		outcome = "ERROR"
	}
	c.fleet.guard.observer.CommandDone(outcome, time.Since(c.began))
}
