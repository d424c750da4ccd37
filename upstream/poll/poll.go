package poll

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"time"

	"jobgraph/upstream"
)

// poll asks the source once. nil means that ctx ended first. It asks in a goroutine of
// its own: a stack that has grown stays so, and a watched job rests on its own for long.
func (w *Poller) poll(ctx context.Context, token string, key upstream.Key) upstream.Result {
	result := make(chan upstream.Result, 1)
	go func() { result <- w.ask(ctx, token, key) }()
	return <-result
}

func (w *Poller) ask(ctx context.Context, token string, key upstream.Key) (result upstream.Result) {
	defer func() {
		if r := recover(); r != nil {
			// The value itself may hold what must not be in a log.
			w.logger.Error("a poll of a job panicked", "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			result = unknownFailure(key.ID)
		}
	}()
	w.observe()
	// What is cached would hide a change; what this poll finds is cached for queries.
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
	switch a := a.(type) {
	case *upstream.EncodedJob:
		b, ok := b.(*upstream.EncodedJob)
		return ok && *a == *b
	case *upstream.Error:
		b, ok := b.(*upstream.Error)
		return ok && a.Type == b.Type && a.Comment == b.Comment &&
			a.JobID == b.JobID && reflect.DeepEqual(a.UpstreamType, b.UpstreamType)
	default:
		return a == b
	}
}

// settled says whether nothing more is to be expected of what was asked at the moment.
func settled(state upstream.Result, asked time.Time) bool {
	switch state := state.(type) {
	case *upstream.EncodedJob:
		return state.Settled(asked)
	case *upstream.Error:
		return !state.Retryable()
	default:
		return false
	}
}
