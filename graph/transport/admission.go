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
	// maxParked bounds the operations that have given their places up.
	maxParked = 10_000
)

// Admission bounds the operations in flight. Streams have bounds of their own.
type Admission struct {
	places  chan struct{}
	waiting atomic.Int64
	parked  atomic.Int64
}

// NewAdmission has room for so many operations, at least 1.
func NewAdmission(places int) *Admission {
	return &Admission{places: make(chan struct{}, places)}
}

// place is what one operation takes of an Admission; its request's goroutine owns it.
type place struct {
	admission *Admission
	parked    bool
}

type placeKey struct{}

// enter takes a place, which leave gives back. It waits for a moment only.
func (a *Admission) enter(ctx context.Context) (p *place, ok bool) {
	if a == nil {
		return nil, true
	}
	select {
	case a.places <- struct{}{}:
		return &place{admission: a}, true
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
		return &place{admission: a}, true
	case <-ctx.Done():
	case <-timer.C:
	}
	return nil, false
}

// GiveUpPlace is for an operation that does nothing from now on but wait for another's
// answer: it gives its place among those in flight to the next. Where too many wait in
// this way, or the operation has no place, nothing happens. It must be called in the
// goroutine that the operation was begun in.
func GiveUpPlace(ctx context.Context) {
	p, _ := ctx.Value(placeKey{}).(*place)
	if p == nil || p.parked {
		return
	}
	if p.admission.parked.Add(1) > maxParked {
		p.admission.parked.Add(-1)
		return
	}
	p.parked = true
	<-p.admission.places
}

// leave may be called on nil.
func (p *place) leave() {
	switch {
	case p == nil:
	case p.parked:
		p.admission.parked.Add(-1)
	default:
		<-p.admission.places
	}
}
