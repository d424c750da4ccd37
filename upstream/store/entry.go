package store

import (
	"time"

	"jobgraph/upstream"
)

// entry is what a call gave: a job or a list, or that there is none. A refusal, such as of a token
// that has expired, is an entry with neither: nothing is served of what was known before.
// Each call makes an entry of its own, so that the same pointer is the same knowledge.
type entry struct {
	job      *upstream.EncodedJob
	list     *upstream.List
	notFound *upstream.Error
	// began and ended are when the call did, in the clock's nanoseconds. The TTL counts
	// from the first: a slow answer is no younger for having been slow. What a second tier
	// gave began when it was fetched of the job API.
	began, ended int64
	generation   int // the token's, when it was stored
	ttl          time.Duration
	class        class
	bytes        int
	passing      bool // it is not served
}

// newEntry is nil for a failure that says nothing of what was asked.
func newEntry(a answer, began, ended int64) *entry {
	e := &entry{job: a.job, list: a.list, began: began, ended: ended}
	failed := upstream.ErrorOf(a.err)
	switch {
	case a.err == nil:
	case failed == nil || failed.Retryable():
		return nil
	case failed.Type == upstream.ItemNotFound:
		e.notFound = failed
	}
	return e
}

func (e *entry) err() error {
	if e.notFound != nil {
		return e.notFound
	}
	return nil
}

// overhead is about what an entry needs beside its job, with its slot and the slot's place
// in the map, in bytes.
const overhead = 384

// weigh is the entry's memory in bytes. A list's jobs may be in entries of their own as
// well, which share their memory until they are replaced.
func (e *entry) weigh() int {
	switch {
	case e.job != nil:
		return overhead + e.job.Size()
	case e.list != nil:
		size := overhead
		for _, job := range e.list.Jobs {
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
