package fleet

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

const (
	// An operation waits for defaultMaxWait in all, however often it asks, and a third of that is late: such an
	// answer is used, and counts as a failure. After a failure callers wait for less than a
	// seventh until an answer comes in time. Redis is skipped after failures in a row,
	// minFailures or more, over minFailing or longer: what holds this process up for a moment
	// makes all answers of that moment late, and says nothing of Redis.
	defaultMaxWait = 15 * time.Millisecond
	minFailures    = 3
	minFailing     = 50 * time.Millisecond

	// commandTimeout is after how long a command is given up by whoever sent it. The caller
	// may have left before: a connection may have to be made for it.
	commandTimeout = time.Second

	// What is under way at most: reads, writes, and the bytes of each.
	maxReads, maxWrites = 256, 256
	maxBytes            = 16 << 20
)

var (
	// ErrSkipped is of a command that was not sent: Redis fails, or too much is under way.
	ErrSkipped = errors.New("skipped: Redis was not asked")
	// ErrLate is of a command that was not answered in time.
	ErrLate = errors.New("late: Redis did not answer in time")
	errSlow = errors.New("slow: Redis answers late")
)

// guard is a circuit breaker: open is "Redis is skipped". It opens by the failures of
// commands, and closes by the fleet's own probes alone.
type guard struct {
	observer      Observer
	maxWait       time.Duration
	reads, writes room
	opened        chan struct{} // told that it has opened

	mu       sync.Mutex
	open     bool
	failures int       // in a row
	since    time.Time // when the first of them was
	last     error

	failing atomic.Bool // failures > 0, or open

	// These are of the goroutine that probes.
	logged  bool
	lastLog time.Time
}

func newGuard(observer Observer, maxWait time.Duration) *guard {
	g := &guard{observer: observer, maxWait: maxWait, open: true, opened: make(chan struct{}, 1),
		reads: room{max: maxReads}, writes: room{max: maxWrites}}
	g.failing.Store(true)
	observer.Available(false)
	return g
}

func (g *guard) closed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.open
}

func (g *guard) reason() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last
}

// wait is how long a caller waits now; 0: Redis is skipped.
func (g *guard) wait() time.Duration {
	if !g.failing.Load() {
		return g.maxWait
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.open:
		return 0
	case g.failures > 0:
		return g.maxWait * 2 / 15
	}
	return g.maxWait
}

// late is from when on an answer is a failure.
func (g *guard) late() time.Duration { return g.maxWait / 3 }

// record learns from a command.
func (g *guard) record(err error) {
	failed := fails(err)
	if !failed && !g.failing.Load() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open {
		return
	}
	if !failed {
		g.failures = 0
		g.failing.Store(false)
		return
	}
	if g.failures++; g.failures == 1 {
		g.since = time.Now()
	}
	g.failing.Store(true)
	if g.failures < minFailures || time.Since(g.since) < minFailing {
		return
	}
	g.open, g.last = true, err
	select {
	case g.opened <- struct{}{}:
	default:
	}
}

// set opens or closes the breaker.
func (g *guard) set(available bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if available {
		select {
		case <-g.opened: // what failed before is past
		default:
		}
		g.failures = 0
		g.failing.Store(false)
	} else {
		g.failing.Store(true)
	}
	g.open = !available
	g.observer.Available(available)
}

// fails says whether an error is one of Redis as a whole, and not of one key or command.
func fails(err error) bool {
	if err == nil || rueidis.IsRedisNil(err) {
		return false
	}
	refused, ok := rueidis.IsRedisErr(err)
	if !ok {
		return !errors.Is(err, context.Canceled)
	}
	switch code(refused) {
	case "LOADING", "CLUSTERDOWN", "MASTERDOWN", "NOAUTH", "WRONGPASS", "NOPERM", "BUSY", "MAXCLIENTS":
		return true
	}
	return false
}

// describe is the error without what may be in a text of Redis: that can repeat what it was sent.
func describe(err error) string {
	if refused, ok := rueidis.IsRedisErr(err); ok {
		return code(refused)
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

// code is the word that an error of Redis begins with.
func code(err *rueidis.RedisError) string {
	word, _, _ := strings.Cut(err.Error(), " ")
	if strings.ToUpper(word) != word || len(word) > 16 {
		return "ERR"
	}
	return word
}

// room bounds what is under way in number and bytes.
type room struct {
	max          int64
	count, bytes atomic.Int64
}

func (r *room) take(bytes int) bool {
	count, all := r.count.Add(1), r.bytes.Add(int64(bytes))
	if count > r.max || all > maxBytes {
		r.give(bytes)
		return false
	}
	return true
}

func (r *room) give(bytes int) {
	r.count.Add(-1)
	r.bytes.Add(int64(-bytes))
}
