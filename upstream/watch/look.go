package watch

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"time"

	"jobgraph/upstream"
)

// look asks the source once. nil means that ctx ended first.
func (w *Watches) look(ctx context.Context, token string, key upstream.Key) (result upstream.Result) {
	defer func() {
		if r := recover(); r != nil {
			// The value itself may hold what must not be in a log.
			w.logger.Error("a look at a job panicked", "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			result = unknownFailure(key.ID)
		}
	}()
	// What is kept would hide a change; what this look finds is kept for queries.
	job, err := w.source.Job(ctx, upstream.Request{Token: token, Key: key, Fresh: true, Operation: w.operation})
	var failed *upstream.Error
	switch {
	case err == nil:
		return job
	case ctx.Err() != nil:
		return nil
	case errors.As(err, &failed):
		return failed
	default:
		return unknownFailure(key.ID)
	}
}

func unknownFailure(id string) *upstream.Error {
	return &upstream.Error{Type: upstream.Unavailable, JobID: id,
		Comment: "This server failed to ask the job API. It asks again by itself."}
}

// same says whether a client sees no difference between two states. How long a failure
// asks to wait is none: it counts down.
func same(a, b upstream.Result) bool {
	if a == b {
		return true
	}
	one, ok := a.(*upstream.Error)
	if !ok {
		return reflect.DeepEqual(a, b)
	}
	other, ok := b.(*upstream.Error)
	return ok && one.Type == other.Type && one.Comment == other.Comment &&
		one.JobID == other.JobID && reflect.DeepEqual(one.UpstreamType, other.UpstreamType)
}

// settled says whether nothing more is to be expected of what was asked at the moment.
func settled(state upstream.Result, asked time.Time) bool {
	switch state := state.(type) {
	case *upstream.Job:
		return state.Settled(asked)
	case *upstream.Error:
		return !state.Retryable()
	default:
		return false
	}
}
