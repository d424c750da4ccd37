package upstream

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// maxRetryAfter is the longest wait that upstream can ask for.
	maxRetryAfter = 5 * time.Minute
	// maxLimited bounds the tokens that are remembered as limited.
	maxLimited = 10_000
)

// rateLimits remembers which tokens upstream told to wait, and until when.
type rateLimits struct {
	mu    sync.Mutex
	until map[TokenKey]time.Time
}

func newRateLimits() *rateLimits { return &rateLimits{until: map[TokenKey]time.Time{}} }

// remaining is how long the token still has to wait; 0: not at all.
func (l *rateLimits) remaining(token TokenKey) time.Duration {
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

// limit has the token wait. Where too many wait already, those whose time has
// come are forgotten, or else any one: it will be told again by upstream.
func (l *rateLimits) limit(token TokenKey, wait time.Duration) {
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

func (l *rateLimits) makeRoom() {
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

// limitOf is how long the token is to wait after the error; 0: not at all.
func limitOf(e *Error) time.Duration {
	if e.Status == http.StatusTooManyRequests {
		return e.RetryAfter
	}
	return 0
}

// retryAfter reads the header of that name, seconds or a date, as 1 s to 5
// minutes; 0 where there is none that can be read.
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return clampRetryAfter(time.Duration(seconds) * time.Second)
	}
	if date, err := http.ParseTime(text); err == nil {
		return clampRetryAfter(time.Until(date))
	}
	return 0
}

func clampRetryAfter(wait time.Duration) time.Duration {
	return min(max(wait, time.Second), maxRetryAfter)
}
