package budget

import "time"

const (
	// readTime and readSpeed are how long a reader may take for a whole answer: one
	// minute, and a second for each 256 KiB of it.
	readTime  = time.Minute
	readSpeed = 256 << 10
)

// A Pace gives what is being sent its deadlines. One for each unit alone would let a
// reader hold an answer's bytes for minutes by reading just enough. The zero Pace
// begins with its first deadline. One goroutine owns it.
type Pace struct {
	began time.Time
	bytes int64
}

// Deadline is when the reader must have taken the next bytes: timeout from now, or when
// it must have taken all bytes until then, whichever is earlier.
func (p *Pace) Deadline(bytes int, timeout time.Duration) time.Time {
	now := time.Now()
	if p.began.IsZero() {
		p.began = now
	}
	p.bytes += int64(bytes)
	unit, whole := now.Add(timeout), p.began.Add(readTime+time.Duration(p.bytes)*time.Second/readSpeed)
	if whole.Before(unit) {
		return whole
	}
	return unit
}
