package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
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

// retryBudget keeps retries from doubling the load of an upstream in trouble.
type retryBudget struct {
	mu    sync.Mutex
	saved float64
}

func newRetryBudget() *retryBudget { return &retryBudget{saved: retryReserve} }

// deposit counts a call.
func (b *retryBudget) deposit() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.saved = min(b.saved+retryShare, retryReserve)
}

// withdraw takes what one retry costs, if there is enough.
func (b *retryBudget) withdraw() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.saved < 1 {
		return false
	}
	b.saved--
	return true
}

// transient says whether a connection that failed may well succeed at once. A
// timeout is no such failure: the caller has waited, and upstream is slow already.
func transient(err error) bool {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var handshake tls.RecordHeaderError
	var alert tls.AlertError
	return !errors.As(err, &name) && !errors.As(err, &certificate) &&
		!errors.As(err, &handshake) && !errors.As(err, &alert) && !timedOut(err)
}

func timedOut(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// pause waits for any time up to maxRetryDelay: all who failed at the same moment
// must not come back at the same moment. It is false where too little time would
// be left for another attempt until the deadline.
func pause(ctx context.Context, deadline time.Time, attempt time.Duration) bool {
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
