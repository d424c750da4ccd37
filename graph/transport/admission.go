package transport

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// queueWait is how long an operation waits for a place before it is sent away.
	queueWait = 20 * time.Millisecond
	// queuePlaces bounds how many wait.
	queuePlaces = 256
)

// Admission bounds the operations in flight. Streams have bounds of their own.
type Admission struct {
	places  chan struct{}
	waiting atomic.Int64
}

// NewAdmission has room for so many operations, at least 1.
func NewAdmission(places int) *Admission {
	return &Admission{places: make(chan struct{}, places)}
}

// enter takes a place, which leave gives back. It waits for a moment only.
func (a *Admission) enter(ctx context.Context) (leave func(), ok bool) {
	if a == nil {
		return func() {}, true
	}
	select {
	case a.places <- struct{}{}:
		return a.leave, true
	default:
	}
	defer a.waiting.Add(-1)
	if a.waiting.Add(1) > queuePlaces {
		return nil, false
	}
	timer := time.NewTimer(queueWait)
	defer timer.Stop()
	select {
	case a.places <- struct{}{}:
		return a.leave, true
	case <-ctx.Done():
	case <-timer.C:
	}
	return nil, false
}

func (a *Admission) leave() { <-a.places }
