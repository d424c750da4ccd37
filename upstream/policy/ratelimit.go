package policy

import (
	"sync"
	"time"

	"jobgraph/upstream/keyedhash"
)

// maxLimited bounds the tokens that are remembered as limited.
const maxLimited = 10_000

// RateLimits remembers which tokens upstream told to wait, and until when.
type RateLimits struct {
	mu    sync.Mutex
	until map[keyedhash.Sum]time.Time
}

// NewRateLimits has no token wait.
func NewRateLimits() *RateLimits { return &RateLimits{until: map[keyedhash.Sum]time.Time{}} }

// Remaining is how long the token still has to wait; 0: not at all.
func (l *RateLimits) Remaining(token keyedhash.Sum) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	until, limited := l.until[token]
	if !limited {
		return 0
	}
	wait := time.Until(until)
	if wait <= 0 {
		delete(l.until, token)
		return 0
	}
	return wait
}

// Limit has the token wait. Where too many wait already, those whose time has
// come are forgotten, or else any one: it will be told again by upstream.
func (l *RateLimits) Limit(token keyedhash.Sum, wait time.Duration) {
	if wait <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.until[token]; !known && len(l.until) >= maxLimited {
		l.makeRoom()
	}
	l.until[token] = time.Now().Add(wait)
}

func (l *RateLimits) makeRoom() {
	now := time.Now()
	for token, until := range l.until {
		if until.Before(now) {
			delete(l.until, token)
		}
	}
	for token := range l.until {
		if len(l.until) < maxLimited {
			return
		}
		delete(l.until, token)
	}
}
