package policy

import (
	"log/slog"
	"time"
)

// windowSeconds is how far back the breaker counts.
const windowSeconds = 10

// Result is what became of an attempt, as far as a [Breaker] cares.
type Result uint8

// The results. What upstream refused is good: it answers.
const (
	Cancelled Result = iota // by its callers: it says nothing of upstream
	Good
	Unavailable
	TimedOut
	Malformed
	resultKinds
)

// resultNames are what a log calls the failures.
var resultNames = [resultKinds]string{Unavailable: "UPSTREAM_UNAVAILABLE", TimedOut: "UPSTREAM_TIMEOUT", Malformed: "UPSTREAM_MALFORMED"}

// window counts the results of the last seconds.
type window struct {
	seconds    [windowSeconds][resultKinds]uint32
	newest     int64 // the last second that was counted
	inARow     int   // failures since the last good result
	lastGood   time.Time
	lastFailed uint64 // the number of the call asked last among those that have failed
}

func (w *window) add(r Result, second int64) {
	w.advance(second)
	w.seconds[second%windowSeconds][r]++
}

// advance forgets what is too long ago.
func (w *window) advance(second int64) {
	for n := max(w.newest, second-windowSeconds) + 1; n <= second; n++ {
		clear(w.seconds[n%windowSeconds][:])
	}
	w.newest = max(w.newest, second)
}

// totals are the counts of the whole window.
func (w *window) totals(second int64) (all [resultKinds]uint32) {
	w.advance(second)
	for _, counts := range &w.seconds {
		for kind, n := range counts {
			all[kind] += n
		}
	}
	return all
}

// counts are how many were good, and how many failed.
func (w *window) counts(second int64) (ok, failed int) {
	all := w.totals(second)
	return int(all[Good]), int(all[Unavailable] + all[TimedOut] + all[Malformed])
}

// attrs tell a log of the window.
func (w *window) attrs(second int64) []any {
	var failures []any
	calls := 0
	for kind, n := range w.totals(second) {
		if calls += int(n); n > 0 && resultNames[kind] != "" {
			failures = append(failures, slog.Int(resultNames[kind], int(n)))
		}
	}
	return []any{"calls", calls, "in_a_row", w.inARow, slog.Group("failures", failures...)}
}
