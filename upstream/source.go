package upstream

import (
	"context"
	"time"

	"jobgraph/upstream/keyedhash"
	"jobgraph/upstream/policy"
)

// Source gives one job. [*Client] asks the job API; a store stands before it and is one
// itself. The error is an [*Error], or wraps ctx's own where ctx ended first.
type Source interface {
	Job(ctx context.Context, r Request) (*EncodedJob, error)
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
