// Package budget bounds the bytes of answers that are being made or sent: those of
// one answer, and those of all answers of the process together. Nobody waits for
// room: what does not fit is refused at once.
package budget

import (
	"cmp"
	"errors"
	"sync/atomic"
)

// What a reservation fails with.
var (
	// ErrTooLarge is of an answer that would be larger than any may be.
	ErrTooLarge = errors.New("the answer is too large")
	// ErrJobsTooLarge is of an answer whose jobs are larger than those of any may be.
	ErrJobsTooLarge = errors.New("the answer's jobs are too large")
	// ErrOverloaded is of an answer for which there is no room beside the others.
	ErrOverloaded = errors.New("the answers of this process have no room for another")
)

// The defaults of the bounds, in bytes.
const (
	DefaultTotal  = 64 << 20
	DefaultAnswer = 8 << 20
)

// A Budget is the bound of all answers. Invariant: what is in use is the sum of what
// its answers with a holder have reserved, and never more than the total.
type Budget struct {
	total, each int64
	inUse       atomic.Int64
}

// New returns a Budget of total bytes, of which one answer may take each; 0: the
// defaults.
func New(total, each int64) *Budget {
	return &Budget{total: cmp.Or(total, DefaultTotal), each: cmp.Or(each, DefaultAnswer)}
}

// InUse is how many bytes are reserved.
func (b *Budget) InUse() int64 { return b.inUse.Load() }

// MaxAnswer is how many bytes one answer may have.
func (b *Budget) MaxAnswer() int64 { return b.each }

// Open returns an empty answer with one holder.
func (b *Budget) Open() *Answer { return &Answer{budget: b, holders: 1} }

// acquire takes all of the bytes or none.
func (b *Budget) acquire(bytes int64) bool {
	for {
		inUse := b.inUse.Load()
		if bytes > b.total-inUse {
			return false
		}
		if b.inUse.CompareAndSwap(inUse, inUse+bytes) {
			return true
		}
	}
}

func (b *Budget) release(bytes int64) { b.inUse.Add(-bytes) }
