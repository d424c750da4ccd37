package logging

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"sync"
	"time"
)

const (
	defaultInterval = time.Second
	// flushSize is how many bytes wait for no interval's end.
	flushSize = 32 << 10
	// maxPending bounds the bytes that wait while a write is under way: a third of a
	// second of lines at 20,000 requests a second. As many again are being written.
	maxPending = 1 << 20
	// closeTimeout is how long Close waits for a write that makes no progress.
	closeTimeout = time.Second
)

// Buffer is a writer that never blocks: a goroutine of its own hands on what was
// written, at most once an interval, or sooner at flushSize. A line that comes after
// a quiet interval is handed on at once. Where the writer behind it is stuck,
// maxPending bytes wait, and what comes then is dropped and counted.
type Buffer struct {
	w      io.Writer
	every  time.Duration
	report func(lines int)

	mu           sync.Mutex // held for no write
	pending      []byte     // whole lines
	lost         int        // lines that nobody was told of yet
	writeThrough bool

	// Signals to run, each sent with mu held. One in wake stands for pending bytes
	// that run has not turned to; one in urgent for pending bytes that must not wait.
	wake, urgent chan struct{}

	closing   chan struct{}
	closeOnce sync.Once
	done      chan struct{} // run has ended
	spare     []byte        // run's: the array that is not pending
}

// NewBuffer returns a buffer before w; an interval of 0 is one second. After lines
// were lost and w took others again, report is called with their number; it may
// write to the buffer. Close ends the buffer's goroutine.
func NewBuffer(w io.Writer, interval time.Duration, report func(lines int)) *Buffer {
	b := &Buffer{
		w:       w,
		every:   cmp.Or(interval, defaultInterval),
		report:  report,
		wake:    make(chan struct{}, 1),
		urgent:  make(chan struct{}, 1),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
	}
	go b.run()
	return b
}

// Write takes whole lines, or drops them. It never fails: that a line was lost is
// said by a later one.
func (b *Buffer) Write(lines []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pending)+len(lines) > maxPending {
		b.lost += bytes.Count(lines, []byte("\n"))
		return len(lines), nil
	}
	if len(b.pending) == 0 {
		signal(b.wake)
	}
	b.pending = append(b.pending, lines...)
	if b.writeThrough || len(b.pending) >= flushSize {
		signal(b.urgent)
	}
	return len(lines), nil
}

// Flush has what waits handed on now. It does not wait for that.
func (b *Buffer) Flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pending) > 0 {
		signal(b.urgent)
	}
}

// WriteThrough has every line handed on at once from now on: for a program that may
// be killed.
func (b *Buffer) WriteThrough() {
	b.mu.Lock()
	b.writeThrough = true
	b.mu.Unlock()
	b.Flush()
}

// Close hands on what waits and ends the buffer; what is written later is lost. It
// fails where the writer behind is stuck: only the end of that write, or of the
// process, ends the goroutine then.
func (b *Buffer) Close() error {
	b.closeOnce.Do(func() { close(b.closing) })
	select {
	case <-b.done:
		return nil
	case <-time.After(closeTimeout):
		return errors.New("the last lines of the log could not be written in time")
	}
}

func (b *Buffer) run() {
	defer close(b.done)
	var last time.Time
	for {
		select {
		case <-b.wake:
			b.gather(b.every - time.Since(last))
			last = time.Now()
			b.flush()
		case <-b.closing:
			b.flush()
			b.flush() // what was said of lost lines
			return
		}
	}
}

// gather lets lines pile up for what is left of the interval.
func (b *Buffer) gather(left time.Duration) {
	if left <= 0 {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.urgent:
	case <-b.closing:
	}
}

// flush hands on what is pending. Lines that could not be written are counted until
// some can be: said sooner, that would be lost too.
func (b *Buffer) flush() {
	lines, lost := b.take()
	if len(lines) == 0 {
		return
	}
	n, err := b.w.Write(lines)
	b.spare = lines[:0]
	if err != nil {
		b.mu.Lock()
		b.lost += lost + bytes.Count(lines[n:], []byte("\n"))
		b.mu.Unlock()
	} else if lost > 0 && b.report != nil {
		b.report(lost)
	}
}

// take gives what is pending and takes back the signals that stand for it.
func (b *Buffer) take() (lines []byte, lost int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines, lost = b.pending, b.lost
	if len(lines) == 0 {
		return nil, 0
	}
	b.pending, b.spare, b.lost = b.spare, nil, 0
	for _, sent := range []chan struct{}{b.wake, b.urgent} {
		select {
		case <-sent:
		default:
		}
	}
	return lines, lost
}

// signal sends unless a signal waits already.
func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}
