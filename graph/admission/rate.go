package admission

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"jobgraph/upstream/keyedhash"
)

// Rate is how many operations a caller may begin: so many a second, and burst at once. The
// zero Rate is no bound.
type Rate struct {
	PerSecond float64
	Burst     int
}

var errRate = errors.New("a rate is operations a second, with the burst behind a slash, such as 50/200")

// UnmarshalText reads 50/200; without a burst it is that of a second.
func (r *Rate) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*r = Rate{}
		return nil
	}
	second, burst, split := strings.Cut(string(text), "/")
	perSecond, err := strconv.ParseFloat(second, 64)
	if err != nil || !(perSecond >= 0.001) || perSecond > 1e6 {
		return errRate
	}
	*r = Rate{perSecond, max(1, int(perSecond))}
	if split {
		if r.Burst, err = strconv.Atoi(burst); err != nil || r.Burst < 1 || r.Burst > 1e6 {
			return errRate
		}
	}
	return nil
}

// String is what UnmarshalText reads.
func (r Rate) String() string {
	if r == (Rate{}) {
		return ""
	}
	return fmt.Sprintf("%g/%d", r.PerSecond, r.Burst)
}

// maxRates bounds the callers that are remembered: about 8 MB.
const maxRates = 100_000

// RateLimiter has each caller begin operations at a rate, by the generic cell rate algorithm:
// all that is known of a caller is one moment, and nothing once that has passed. It is
// safe for concurrent use and has no goroutine.
type RateLimiter struct {
	interval, burst time.Duration

	mu     sync.Mutex
	full   map[keyedhash.Sum]time.Time // when the caller's whole burst is free again
	sweeps time.Time                   // no sweep before
}

// NewRateLimiter is nil for the zero Rate; a nil RateLimiter lets everybody pass.
func NewRateLimiter(r Rate) *RateLimiter {
	if r == (Rate{}) {
		return nil
	}
	interval := time.Duration(float64(time.Second) / r.PerSecond)
	return &RateLimiter{interval: interval, burst: interval * time.Duration(r.Burst), full: map[keyedhash.Sum]time.Time{}}
}

// Take counts an operation of the caller. wait is how long there is none for it; 0: it may
// begin. One that may not does not count.
func (l *RateLimiter) Take(caller keyedhash.Sum) (wait time.Duration) {
	if l == nil {
		return 0
	}
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	full, known := l.full[caller]
	if !known || full.Before(now) {
		full = now
	}
	next := full.Add(l.interval)
	if wait := next.Sub(now) - l.burst; wait > 0 {
		return wait
	}
	if !known && !l.room(now) {
		return l.interval
	}
	l.full[caller] = next
	return 0
}

// room forgets those whose burst is whole again, which loses nothing. Where all are
// remembered for a reason, there is none for another caller.
func (l *RateLimiter) room(now time.Time) bool {
	if len(l.full) < maxRates {
		return true
	}
	if now.Before(l.sweeps) {
		return false
	}
	l.sweeps = now.Add(time.Second)
	for caller, full := range l.full {
		if !full.After(now) {
			delete(l.full, caller)
		}
	}
	return len(l.full) < maxRates
}
