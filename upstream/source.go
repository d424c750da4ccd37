package upstream

import (
	"context"
	"sync"
	"time"

	"jobgraph/upstream/keyedhash"
	"jobgraph/upstream/policy"
)

// Source gives one job. [*Client] asks the job API; a store stands before it and is one
// itself. The error is an [*Error], or wraps ctx's own where ctx ended first.
type Source interface {
	Job(ctx context.Context, r Request) (*EncodedJob, error)
}

// Batcher is what a [Source] may be as well: it gives many jobs at the same time, and needs no
// goroutine for each.
type Batcher interface {
	// Jobs asks for all jobs, and calls each with the place of an id, and its job or error, as
	// they come: in any order, one at a time, once for each id. The key of r has no id.
	Jobs(ctx context.Context, r Request, ids []string, each func(n int, job *EncodedJob, err error))
}

// Jobs asks the source for all jobs at the same time, as [Batcher] says. Where it is none,
// each id has a goroutine.
func Jobs(ctx context.Context, source Source, r Request, ids []string, each func(n int, job *EncodedJob, err error)) {
	if batcher, ok := source.(Batcher); ok {
		batcher.Jobs(ctx, r, ids, each)
		return
	}
	var mu sync.Mutex
	var wait sync.WaitGroup
	for n, id := range ids {
		own := r
		own.Key.ID = id
		wait.Go(func() {
			job, err := tryJob(ctx, source, own)
			mu.Lock()
			defer mu.Unlock()
			each(n, job, err)
		})
	}
	wait.Wait()
}

// tryJob makes a panic an error, because in a goroutine of its own it would end the
// process.
func tryJob(ctx context.Context, source Source, r Request) (job *EncodedJob, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = PanicError(value)
		}
	}()
	return source.Job(ctx, r)
}

// Request asks for one job.
type Request struct {
	// Token is the caller's, as it is sent to upstream. It is never part of a key.
	Token string
	// Key tells the request's job and caller apart from all others.
	Key Key
	// Fresh asks upstream from now on: neither a cached job will do, nor a call that
	// began before.
	Fresh bool
	// Deadline ends the call where it comes before the client's own; zero: it does not.
	Deadline time.Time
	// Tally counts what is done for the request; nil: nothing does.
	Tally *Tally
	// Operation is what takes turns with others of the same token; nil: the request is
	// one of its own.
	Operation *Operation
	// Began is set by a source that gives what was fetched before it was asked: to when that
	// call of the job API began, in nanoseconds since 1970. nil: nobody wants to know.
	Began *int64
}

// Operation is a fairness key: all requests of one operation share its turns.
type Operation = policy.Operation

// Key is a job as one token sees it: what was fetched with one token is never found with
// another's.
type Key struct {
	Token TokenKey
	ID    string
}

// TokenKey stands for a token wherever something is remembered under it. It tells tokens
// apart and means nothing outside this process.
type TokenKey = keyedhash.Sum

// NewRequest asks for the job with the token.
func NewRequest(token, id string) Request {
	return Request{Token: token, Key: Key{KeyOf(token), id}}
}

// hasher is never written to.
var hasher = keyedhash.New()

// KeyOf is the token's key.
func KeyOf(token string) TokenKey { return hasher.Sum(token) }
