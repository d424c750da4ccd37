package store

import (
	"time"

	"jobgraph/upstream"
)

// entry is what a call gave, and when. It has no pointers; what it gave stands where its
// content says.
type entry struct {
	// turn is the one in which its call ended: the same turn is the same knowledge. 0: there
	// is no entry.
	turn int
	// began and ended are when the call did, in the clock's nanoseconds. The TTL counts
	// from the first: a slow answer is no younger for having been slow. What a second tier
	// gave began when it was fetched of the job API.
	began, ended int64
	generation   int // the token's, when it was stored
	ttl          time.Duration
	class        class
	bytes        int
	content      content
	packed       place
}

// content is where a slot has what is served of its entry.
type content uint8

const (
	// nothing is served: upstream refused the token, or there is no TTL. The entry is known
	// for [ReadSet.Joinable].
	nothing content = iota
	// packed is a job of the usual size, whose record is among the store's.
	packed
	// apart is a large job, a list or that there is none, in the store's map of such.
	apart
)

// answer is what the source gave: a job or a list, or an error.
type answer struct {
	job  *upstream.EncodedJob
	list *upstream.List
	err  error
}

// lasts says whether the answer says anything of what was asked: a passing failure does not.
func (a answer) lasts() bool {
	if a.err == nil {
		return true
	}
	failed := upstream.ErrorOf(a.err)
	return failed != nil && !failed.Retryable()
}

// notFound says that there is no such job.
func (a answer) notFound() bool { return upstream.TypeOf(a.err) == upstream.ItemNotFound }

// contentOf is where an answer with a TTL is stored.
func contentOf(a answer) content {
	switch {
	case a.job != nil && len(a.job.Record) <= maxPacked:
		return packed
	case a.err == nil || a.notFound():
		return apart
	default:
		return nothing
	}
}

// overhead is about what an entry needs beside its job, in bytes: its slot, the slot's place
// in the index, and its part of what is dead in the segments.
const overhead = 256

// weigh is an entry's memory in bytes. A list's jobs may be in entries of their own as well.
func weigh(a answer) int {
	switch {
	case a.job != nil:
		return overhead + a.job.Size()
	case a.list != nil:
		size := overhead
		for _, job := range a.list.Jobs {
			size += listedBytes + job.Size() + len(job.Username)
		}
		return size
	default:
		return 1024 // an error and its texts
	}
}

// listedBytes is what a job of a list has beside the job, in bytes.
const listedBytes = 128

// refused says whether upstream refused the caller itself, whatever the job.
func refused(err error) bool {
	failed := upstream.ErrorOf(err)
	return failed != nil && (failed.RefusesToken() || failed.Type == upstream.LoginInvalid)
}
