package store

import (
	"context"
	"math"
	"sync"
	"time"

	"jobgraph/upstream"
)

// ReadSet is what one operation has read from a store. It validates an answer made of
// that as optimistic concurrency does: by comparing what was read with what is there. The
// zero value is ready.
type ReadSet struct {
	mu      sync.Mutex
	store   *Store // nil: nothing was read yet
	began   int64  // when the first job was asked, in the clock's nanoseconds
	reads   []read
	pending int
	failed  bool // a failure that is not cached is among the results
	// retryable says that one of the failures may be gone at the next try.
	retryable bool
}

// read is a job or a list that was asked for, and the turn of the entry that was read; 0 while
// it is pending, and of a call that said nothing.
type read struct {
	digest     digest
	turn       int
	generation int // the token's, when the call of a pending read began
}

type readSetKey struct{}

// WithReadSet has every job and list that a store is asked for under the context noted in the set.
func WithReadSet(ctx context.Context, reads *ReadSet) context.Context {
	return context.WithValue(ctx, readSetKey{}, reads)
}

// ReadSetFrom is nil where nobody wants to know; a nil ReadSet takes no notes.
func ReadSetFrom(ctx context.Context) *ReadSet {
	reads, _ := ctx.Value(readSetKey{}).(*ReadSet)
	return reads
}

// begin reads from the store and notes what it gives in one critical section, so that
// nobody joins the operation in between. n is the read's number, for end.
func (rs *ReadSet) begin(ctx context.Context, s *Store, q question, w *waiter) (found served, c *call, joined bool, n int) {
	if rs == nil {
		found, c, joined = s.find(ctx, q, w)
		return found, c, joined, 0
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.store == nil {
		rs.store, rs.began = s, s.opts.Now()
	}
	found, c, joined = s.find(ctx, q, w)
	read := read{digest: q.digest, turn: found.turn}
	if c != nil {
		read.generation = c.generation
		rs.pending++
	}
	rs.reads = append(rs.reads, read)
	return found, c, joined, len(rs.reads) - 1
}

// end notes what the call of a pending read gave.
func (rs *ReadSet) end(n int, o outcome) {
	if rs == nil {
		return
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.pending--
	rs.reads[n].turn = o.turn
	if o.err != nil && !o.notFound() {
		rs.note(o.err)
	}
}

// fail notes a failure that needed no call.
func (rs *ReadSet) fail(err error) {
	if rs == nil {
		return
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.note(err)
}

func (rs *ReadSet) note(err error) {
	failed := upstream.ErrorOf(err)
	rs.failed = true
	rs.retryable = rs.retryable || err != nil && (failed == nil || failed.Retryable())
}

// Valid says whether each job that was read would now be served as it was, without a
// call. It is false where none was read.
func (rs *ReadSet) Valid() bool { return rs.Remaining() > 0 }

// Remaining is how much longer a valid set is valid, if nothing changes before: until the
// first of its jobs expires. It is 0 where the set is not valid; a nil one never is.
func (rs *ReadSet) Remaining() time.Duration {
	if rs == nil {
		return 0
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if len(rs.reads) == 0 || rs.pending > 0 || rs.failed {
		return 0
	}
	s := rs.store
	s.mu.Lock()
	defer s.mu.Unlock()
	expires := int64(math.MaxInt64)
	for _, read := range rs.reads {
		slot := s.slotOf(read.digest)
		if slot == nil || slot.entry.turn != read.turn || !s.servable(slot) {
			return 0
		}
		expires = min(expires, slot.entry.expires())
	}
	return max(0, time.Duration(expires-s.opts.Now()))
}

// Joinable says whether whoever begins now may be given what becomes of the operation. A
// stale read set cannot be joined: nothing that was read has been replaced or has expired,
// nothing that is pending has been answered by another call meanwhile, and it did not
// begin so long ago that such an answer may be forgotten.
func (rs *ReadSet) Joinable() bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.retryable {
		return false
	}
	if rs.store == nil {
		return true
	}
	s := rs.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if rs.began <= s.forgotten || s.opts.Now()-rs.began >= int64(s.window()) {
		return false
	}
	for _, read := range rs.reads {
		if !s.joinable(rs, read) {
			return false
		}
	}
	return true
}

func (s *Store) joinable(rs *ReadSet, read read) bool {
	slot := s.slotOf(read.digest)
	switch {
	case slot == nil:
		return false
	case read.turn != 0:
		return slot.entry.turn == read.turn && (s.servable(slot) || slot.entry.ttl == 0)
	case read.generation != s.generation(slot):
		return false
	default:
		return slot.entry.turn == 0 || slot.entry.ended < rs.began
	}
}

// slotOf is nil where nothing is known.
func (s *Store) slotOf(at digest) *slot {
	if n := s.slots[at]; n != 0 {
		return s.pages.at(n)
	}
	return nil
}

// Bytes is roughly the memory of the notes.
func (rs *ReadSet) Bytes() int {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return 64 + 32*cap(rs.reads)
}
