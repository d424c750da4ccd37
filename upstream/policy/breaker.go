package policy

import (
	"container/list"
	"math/rand/v2"
	"sync"
	"time"

	"jobgraph/upstream/keyedhash"
)

const (
	// failuresInARow open a circuit, but only while nothing has been good for quietFor.
	failuresInARow = 5
	quietFor       = time.Second
	// Half of the window's calls open it too, once there are as many as windowCalls.
	windowCalls = 20
	// probeEvery is how often an open circuit lets one call through, give or take a fifth.
	probeEvery = 2 * time.Second

	// maxTokenCircuits bounds the tokens that are remembered, 0.5 KB each: twice as
	// many as calls can be under way where that is more.
	maxTokenCircuits = 4096
	// tokenIdle is how long a token is remembered that asks nothing.
	tokenIdle = time.Minute
)

// BreakerObserver is told what a Breaker does, for metrics.
type BreakerObserver interface {
	// BreakerChanged is told when the circuit breaker opens and closes for all.
	BreakerChanged(open bool)
	// TokenBreakersOpen is told for how many tokens it is open, at each change.
	TokenBreakersOpen(tokens int)
}

// Breaker leaves a failing upstream alone: while a circuit is open, its calls fail at
// once. Each token has a circuit, and there is one for all. An open circuit lets one call
// through every probeEvery, whatever became of the one before, and the first good answer
// closes it.
//
// Where many calls are under way, fast failures arrive before the slow answers to what was
// asked earlier. So calls are judged in the order in which they were asked: one that is
// under way, and was asked before the last one that failed, counts as good. See failing.
//
// Invariants, whenever mu is free:
//   - pending has exactly the permits that were given and are not recorded yet, in the
//     order in which they were given.
//   - A token is in tokens if and only if it is in recent, and each permit's token is.
//   - sole is nil while the circuit for all is closed.
type Breaker struct {
	observer BreakerObserver
	log      *FailureLog
	started  time.Time
	max      int

	mu      sync.Mutex
	all     circuit
	sole    *tokenCircuit // whose failures alone opened the circuit for all; nil: several tokens'
	tokens  map[keyedhash.Sum]*tokenCircuit
	recent  list.List // of *tokenCircuit, the one that asked last in front
	pending Permit    // the ring of those under way; next is the one asked first
	asked   uint64    // how many permits there were
	open    int       // tokens whose circuit is open
	spare   []*Permit // to use again
}

// circuit is open or closed, for one token or for all.
type circuit struct {
	window
	open       bool
	opened     time.Time
	nextProbe  time.Time
	generation int // one more at each change: what was asked before tells of the past
}

type tokenCircuit struct {
	circuit
	token   keyedhash.Sum
	at      *list.Element
	lastUse time.Time
	calls   int  // under way
	logged  bool // the log was told that it is open
}

// Permit lets one call through; Record takes it back.
type Permit struct {
	token           *tokenCircuit
	number          uint64
	ofToken, ofAll  int // the circuits' generations
	previous, after *Permit
}

// NewBreaker is closed for all, and expects so many calls under way.
func NewBreaker(observer BreakerObserver, log *FailureLog, concurrency int) *Breaker {
	b := &Breaker{observer: observer, log: log, started: time.Now(),
		max: max(maxTokenCircuits, 2*concurrency), tokens: map[keyedhash.Sum]*tokenCircuit{}}
	b.pending.previous, b.pending.after = &b.pending, &b.pending
	return b
}

// Remaining is how long an open circuit refuses all calls of the token; 0: not at all.
func (b *Breaker) Remaining(token keyedhash.Sum) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tokens[token]
	if !b.all.open && (t == nil || !t.open) {
		return 0
	}
	return b.refused(t, time.Now())
}

// Admit lets a call through, or says how long to stay away. What it gives must be recorded.
func (b *Breaker) Admit(token keyedhash.Sum) (*Permit, time.Duration) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tokens[token]
	if wait := b.refused(t, now); wait > 0 {
		return nil, wait
	}
	if t == nil {
		t = b.remember(token, now)
	}
	b.recent.MoveToFront(t.at)
	t.lastUse = now
	if b.shutFor(t) {
		b.all.nextProbe = now.Add(probeDelay())
	}
	if t.open {
		t.nextProbe = now.Add(probeDelay())
	}
	return b.permit(t), 0
}

// shutFor says whether the circuit for all is open for the token, nil being a new one.
// Where one token's failures opened it, another may show that it fares better.
func (b *Breaker) shutFor(t *tokenCircuit) bool {
	return b.all.open && (b.sole == nil || b.sole == t)
}

func (b *Breaker) refused(t *tokenCircuit, now time.Time) time.Duration {
	switch {
	case b.shutFor(t):
		return max(0, b.all.nextProbe.Sub(now))
	case t != nil && t.open:
		return max(0, t.nextProbe.Sub(now))
	default:
		return 0
	}
}

// Record takes the result of a call that was let through.
func (b *Breaker) Record(p *Permit, r Result) {
	now := time.Now()
	var news []report
	b.mu.Lock()
	t := p.token
	ofToken, ofAll := p.ofToken == t.generation, p.ofAll == b.all.generation
	number := p.number
	b.takeBack(p)
	switch r {
	case Cancelled:
	case Good:
		news = b.succeeded(t, ofToken, ofAll, now)
	default:
		news = b.failed(t, ofToken, ofAll, number, r, now)
	}
	b.mu.Unlock()
	b.log.logBreaker(news) // a log may block
}

// Permits is how many were given and are not recorded yet.
func (b *Breaker) Permits() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for p := b.pending.after; p != &b.pending; p = p.after {
		n++
	}
	return n
}

func (b *Breaker) succeeded(t *tokenCircuit, ofToken, ofAll bool, now time.Time) (news []report) {
	if ofAll {
		b.all.succeed(b.second(now), now)
		if b.all.open {
			news = b.closeAll(t, now)
		}
	}
	if ofToken {
		t.succeed(b.second(now), now)
		if t.open {
			news = append(news, b.closeToken(t, now)...)
		}
	}
	return news
}

func (b *Breaker) failed(t *tokenCircuit, ofToken, ofAll bool, number uint64, r Result, now time.Time) (news []report) {
	if ofToken {
		t.fail(r, b.second(now), number)
		if !t.open && b.failing(&t.circuit, t, now) {
			news = b.openToken(t, now)
		}
	}
	if !ofAll {
		return news
	}
	b.all.fail(r, b.second(now), number)
	switch {
	case b.all.open && b.sole != nil && b.sole != t:
		b.sole = nil // another one fails alike
	case !b.all.open && b.failing(&b.all, nil, now):
		if sole, alike := b.alike(now); alike {
			t.logged = false // one line says both
			return []report{b.openAll(sole, now)}
		}
	}
	return news
}

func (c *circuit) succeed(second int64, now time.Time) {
	c.add(Good, second)
	c.inARow, c.lastGood = 0, now
}

func (c *circuit) fail(r Result, second int64, number uint64) {
	c.add(r, second)
	c.inARow++
	c.lastFailed = max(c.lastFailed, number)
}

func (b *Breaker) second(now time.Time) int64 { return int64(now.Sub(b.started) / time.Second) }

// probeDelay is spread, so that many servers do not probe at the same moment.
func probeDelay() time.Duration {
	return probeEvery*4/5 + rand.N(probeEvery*2/5)
}
