package upstream

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

const (
	// failuresInARow open the breaker, and so does half of a window with at
	// least windowCalls calls.
	failuresInARow = 5
	windowCalls    = 20
	window         = 10 * time.Second
	// probeEvery is how often an open breaker lets one call through, give or take a fifth.
	probeEvery = 2 * time.Second
)

// breaker leaves a failing upstream alone: while it is open, calls fail at once.
//
// The counting is failsafe-go's. Its half-open state is not used: a probe that is
// cancelled would keep its place for ever, and one that hangs would put the next
// one off until its deadline. Here an open breaker lets one call through every
// probeEvery, whatever became of the one before, and the first good answer closes it.
type breaker struct {
	changed func(open bool)

	mu         sync.Mutex
	counts     circuitbreaker.CircuitBreaker[any]
	inARow     int
	generation int // one more at each change
	nextProbe  time.Time
}

// permit says when a call was let through: a result that comes after the next
// change tells of the past and is ignored.
type permit struct{ generation int }

func newBreaker(changed func(open bool)) *breaker {
	counts := circuitbreaker.NewBuilder[any]().
		WithFailureRateThreshold(0.5, windowCalls, window).
		Build()
	return &breaker{changed: changed, counts: counts}
}

// remaining is how long an open breaker refuses all calls; 0: not at all.
func (b *breaker) remaining() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.counts.IsOpen() {
		return 0
	}
	return max(0, time.Until(b.nextProbe))
}

// admit lets a call through, or says how long to stay away.
func (b *breaker) admit() (permit, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.counts.IsOpen() {
		if wait := time.Until(b.nextProbe); wait > 0 {
			return permit{}, wait
		}
		b.nextProbe = time.Now().Add(probeDelay())
	}
	return permit{b.generation}, 0
}

// record takes the result of a call that was let through.
func (b *breaker) record(p permit, failed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.generation != b.generation {
		return
	}
	if b.counts.IsOpen() {
		if !failed {
			b.counts.Close()
			b.change(false)
		}
		return
	}
	if b.count(failed); b.counts.IsOpen() {
		b.nextProbe = time.Now().Add(probeDelay())
		b.change(true)
	}
}

// count opens the breaker where it is time to. A good answer can do so, too: the
// one that fills a window whose other half has failed.
func (b *breaker) count(failed bool) {
	if !failed {
		b.inARow = 0
		b.counts.RecordSuccess()
		return
	}
	b.inARow++
	b.counts.RecordFailure()
	if b.inARow >= failuresInARow {
		b.counts.Open()
	}
}

func (b *breaker) change(open bool) {
	b.inARow = 0
	b.generation++
	b.changed(open)
}

// probeDelay is spread, so that many servers do not probe at the same moment.
func probeDelay() time.Duration {
	return probeEvery*4/5 + rand.N(probeEvery*2/5)
}
