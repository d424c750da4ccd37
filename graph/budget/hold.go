package budget

import "context"

// A Hold is a request's part in the answer that it is given: the transport makes one,
// the executor fills it, and the transport closes it when the last byte is written.
// The zero Hold, and a nil one, hold nothing. One goroutine owns it.
type Hold struct {
	// Data is the answer's, where it is not in the executor's buffer.
	Data []byte

	answer *Answer
	closed bool
}

type holdKey struct{}

// WithHold has the operations of ctx answered into h.
func WithHold(ctx context.Context, h *Hold) context.Context {
	return context.WithValue(ctx, holdKey{}, h)
}

// HoldFrom is nil where nothing is bounded.
func HoldFrom(ctx context.Context) *Hold {
	h, _ := ctx.Value(holdKey{}).(*Hold)
	return h
}

// Open begins an answer of b in place of the one that was held.
func (h *Hold) Open(b *Budget) *Answer {
	if h == nil {
		return nil
	}
	h.Close()
	h.answer, h.closed = b.Open(), false
	return h.answer
}

// Take holds an answer that others hold as well, in place of the one that was held.
func (h *Hold) Take(shared *Answer) error {
	if h == nil || shared == nil {
		return nil
	}
	if err := shared.Acquire(); err != nil {
		return err
	}
	h.Close()
	h.answer, h.closed = shared, false
	return nil
}

// Answer is the answer that is or was held; nil: none.
func (h *Hold) Answer() *Answer {
	if h == nil {
		return nil
	}
	return h.answer
}

// Close releases what is held. It may be called more than once.
func (h *Hold) Close() {
	if h == nil || h.answer == nil || h.closed {
		return
	}
	h.closed = true
	h.answer.Release()
}
