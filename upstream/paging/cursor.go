package paging

import (
	"encoding/base64"
	"encoding/binary"
	"errors"

	"jobgraph/upstream"
)

// ErrCursor is of a text that is no cursor.
var ErrCursor = errors.New("not a cursor")

// Cursor is a place in a list, behind a job. It holds what the job's place is, and two
// hints: with other hints the same jobs follow, by other calls.
type Cursor struct {
	upstream.Position
	// Passed is how many jobs stand before the place, the job included.
	Passed int
	// Pace is how long it took for one job to follow the other, in microseconds, about.
	Pace int64
}

// maxHint bounds a hint, in jobs or microseconds.
const (
	maxHint = 1 << 50
	maxPace = maxHint
)

// cursorVersion is a cursor's first byte.
const cursorVersion = 1

// String is the cursor as clients hand it back: letters, digits, - and _.
func (c Cursor) String() string {
	text := []byte{cursorVersion}
	text = binary.AppendVarint(text, c.Created)
	text = binary.AppendUvarint(text, uint64(c.Passed))
	text = binary.AppendUvarint(text, uint64(c.Pace))
	text = append(text, c.ID...)
	return base64.RawURLEncoding.EncodeToString(text)
}

// ParseCursor reads what String wrote. The error is [ErrCursor].
func ParseCursor(text string) (Cursor, error) {
	var c Cursor
	rest, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(rest) == 0 || rest[0] != cursorVersion {
		return c, ErrCursor
	}
	rest = rest[1:]
	created, n := binary.Varint(rest)
	if n <= 0 {
		return c, ErrCursor
	}
	rest = rest[n:]
	var hints [2]uint64
	for i := range hints {
		hints[i], n = binary.Uvarint(rest)
		if n <= 0 || hints[i] > maxHint {
			return c, ErrCursor
		}
		rest = rest[n:]
	}
	c = Cursor{upstream.Position{Created: created, ID: string(rest)}, int(hints[0]), int64(hints[1])}
	if !c.Valid() {
		return Cursor{}, ErrCursor
	}
	return c, nil
}
