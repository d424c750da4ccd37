package policy

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// retryShare is how many retries a call is worth, and retryReserve how many
	// may be saved up: few calls can all be tried twice, many cannot.
	retryShare   = 0.2
	retryReserve = 10
	// maxRetryDelay bounds the wait before a retry, which is any time up to it. It spreads
	// those who failed at the same moment; how many they are is the budget's to bound. A
	// caller waits so much longer for each job whose first call fails, and keeps its turn.
	maxRetryDelay = 50 * time.Millisecond
)

// RetryBudget keeps retries from doubling the load of an upstream in trouble.
type RetryBudget struct {
	mu    sync.Mutex
	saved float64
}

// NewRetryBudget is full.
func NewRetryBudget() *RetryBudget { return &RetryBudget{saved: retryReserve} }

// Deposit counts a call.
func (b *RetryBudget) Deposit() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.saved = min(b.saved+retryShare, retryReserve)
}

// Left is how many retries are saved up.
func (b *RetryBudget) Left() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.saved
}

// Withdraw takes what one retry costs, if there is enough.
func (b *RetryBudget) Withdraw() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.saved < 1 {
		return false
	}
	b.saved--
	return true
}

// Pause waits for any time up to maxRetryDelay: all who failed at the same moment
// must not come back at the same moment. It is false where too little time would
// be left for another attempt until the deadline.
func Pause(ctx context.Context, deadline time.Time, attempt time.Duration) bool {
	delay := rand.N(maxRetryDelay)
	if time.Until(deadline) < delay+attempt/2 {
		return false
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
