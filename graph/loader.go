package graph

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/graph-gophers/dataloader/v7"

	"jobgraph/upstream"
)

// JobSource gives one job; [*upstream.Client] is one. Its error is an
// [*upstream.Error], or wraps ctx's own where ctx ended first.
type JobSource interface {
	Job(ctx context.Context, token, id string) (*upstream.Job, error)
}

// loader gives each distinct id of one operation to the source once. It lives as
// long as its operation does, so it never serves one caller's jobs to another.
type loader struct {
	jobs *dataloader.Loader[string, upstream.Result]
}

// batchRoom is how many ids a batch takes without waiting to be read. The library's
// own 1,000 are 8 KB for each batch of each operation.
const batchRoom = 64

func newLoader(source JobSource, token string) *loader {
	batch := func(ctx context.Context, ids []string) []*dataloader.Result[upstream.Result] {
		return loadAll(ctx, source, token, ids)
	}
	// The job API has no batch call, so nothing is won by waiting for a fuller
	// batch: duplicates are merged by the loader's own cache at any wait.
	return &loader{dataloader.NewBatchedLoader(batch,
		dataloader.WithWait[string, upstream.Result](0),
		dataloader.WithInputCapacity[string, upstream.Result](batchRoom))}
}

// load gives one result for each id, in order. The error is the operation's, not a job's.
func (l *loader) load(ctx context.Context, ids []string) ([]upstream.Result, error) {
	if l == nil {
		return nil, errors.New("no loader in this context")
	}
	thunks := make([]dataloader.Thunk[upstream.Result], len(ids))
	for i, id := range ids {
		thunks[i] = l.jobs.Load(ctx, id)
	}
	results := make([]upstream.Result, len(ids))
	for i, thunk := range thunks {
		result, err := thunk()
		if err != nil {
			return nil, err
		}
		results[i] = result
	}
	return results, nil
}

// loadAll asks for all ids at the same time; the source bounds how many calls
// the process makes at once.
func loadAll(ctx context.Context, source JobSource, token string, ids []string) []*dataloader.Result[upstream.Result] {
	results := make([]*dataloader.Result[upstream.Result], len(ids))
	var wait sync.WaitGroup
	for i, id := range ids[1:] {
		wait.Go(func() { results[i+1] = loadOne(ctx, source, token, id) })
	}
	results[0] = loadOne(ctx, source, token, ids[0])
	wait.Wait()
	return results
}

// loadOne makes a job's failure data. A panic becomes an error here, because in
// a goroutine of its own it would end the process.
func loadOne(ctx context.Context, source JobSource, token, id string) (result *dataloader.Result[upstream.Result]) {
	defer func() {
		if r := recover(); r != nil {
			result = &dataloader.Result[upstream.Result]{Error: &panicError{r, debug.Stack()}}
		}
	}()
	job, err := source.Job(ctx, token, id)
	var failed *upstream.Error
	switch {
	case err == nil:
		return &dataloader.Result[upstream.Result]{Data: job}
	case errors.As(err, &failed):
		return &dataloader.Result[upstream.Result]{Data: failed}
	default:
		return &dataloader.Result[upstream.Result]{Error: err}
	}
}

// panicError carries a panic and its stack to the log; clients see neither.
type panicError struct {
	value any
	stack []byte
}

// Error tells the Go runtime's own words, such as those of a nil pointer. Any other
// value may hold a secret: only its type is told, the stack says where to look.
func (e *panicError) Error() string {
	if own, ok := e.value.(runtime.Error); ok {
		return fmt.Sprintf("panic: %v\n%s", own, e.stack)
	}
	return fmt.Sprintf("panic: a %T\n%s", e.value, e.stack)
}
