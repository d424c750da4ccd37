package projection

import (
	"bytes"
	"context"
	"io"

	"github.com/99designs/gqlgen/graphql"

	"jobgraph/graph/budget"
	"jobgraph/upstream"
)

// joined is items with commas between.
type joined struct {
	size   int
	write  func(to []byte) []byte // nil: nothing is, as there is no room
	answer *budget.Answer         // nil: nothing is bounded
}

// join reserves what the items will take of the answer, and of the key before
// them. All rows of an answer are made before the first one is written.
func join(ctx context.Context, items []item) joined {
	r := joined{answer: budget.HoldFrom(ctx).Answer()}
	for _, item := range items {
		r.size += item.size() + len(",")
	}
	if r.answer != nil && r.answer.Reserve(r.size+len(graphql.GetFieldContext(ctx).Field.Alias)+len(`,"":[]`)) != nil {
		return r
	}
	r.write = func(to []byte) []byte {
		for i, item := range items {
			if i > 0 {
				to = append(to, ',')
			}
			to = item.append(to)
		}
		return to
	}
	return r
}

// MarshalGQL is gqlgen's. The executor's buffer is made large enough for all rows by
// the first one, so that it neither grows nor is copied.
func (r joined) MarshalGQL(w io.Writer) {
	if r.write == nil {
		_, _ = w.Write([]byte("null")) // the whole data will be null
		return
	}
	buffer, ok := w.(*bytes.Buffer)
	if !ok {
		_, _ = w.Write(r.write(make([]byte, 0, r.size)))
		return
	}
	room := r.size
	if r.answer != nil {
		room = withSlack(r.answer.Size() - buffer.Len())
	}
	if buffer.Available() < room {
		buffer.Grow(room)
	}
	_, _ = buffer.Write(r.write(buffer.AvailableBuffer()))
}

// withSlack has room for what an answer has beside its rows, such as braces: no buffer
// must double for it.
func withSlack(size int) int { return size + min(size/8+64, 64<<10) }

// event is one result of a subscription.
type event struct {
	upstream.Result
	hold *budget.Hold
	key  string
	item item
}

// MarshalGQL is gqlgen's. The executor keeps the buffer of a subscription for as long
// as that runs: what is written there is a word.
func (e *event) MarshalGQL(w io.Writer) {
	_, _ = io.WriteString(w, "null")
	size := len(e.key) + e.item.size() + len("}")
	if answer := e.hold.Answer(); answer != nil && answer.Reserve(size) != nil {
		return
	}
	e.hold.Data = append(e.item.append(append(make([]byte, 0, size), e.key...)), '}')
}
