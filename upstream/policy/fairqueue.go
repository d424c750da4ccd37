package policy

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"jobgraph/upstream/keyedhash"
)

// ErrBusy says that too many wait already: the wait was refused, or given up for
// a token or an operation that waits for less.
var ErrBusy = errors.New("too many calls wait")

const (
	// maxShare is how many times the free slots, the reserve aside, a token may hold. It
	// is the dynamic threshold of shared buffers: alone a token has maxShare of
	// maxShare+1 parts, and less by itself the more others hold.
	maxShare = 7
	// One slot in reserveShare is a reserve for tokens that hold next to nothing: fewer
	// than an eighth of it, one at least.
	reserveShare = 16
)

// Operation is a fairness key: all calls of one operation share its turns. It has no
// state; two of them differ by their addresses.
type Operation struct{ _ byte }

// FairQueue bounds what is under way, and how many may wait to be: calls of one slot, or
// work of several. Tokens take turns, and each token's operations do within its turns. Slots cannot be taken back, so no
// token is given all of them: see eligible. It keeps no goroutine: who releases a slot
// hands it to the next.
//
// Invariants, whenever mu is free:
//   - free and the slots that tokens hold are as many as the concurrency, always. After
//     [FairQueue.Resize] to fewer, free is negative until enough of them are released.
//   - No token is eligible for what waits first in its turn. So slots are free only where
//     they are kept for others or are too few, and a token that holds nothing waits only
//     while too few are free.
//   - byToken has exactly the tokens that hold a slot or wait: it is as bounded as those.
//   - A token that waits for one slot and holds nothing is given it after each other one
//     that waits was given one at most.
type FairQueue struct {
	waiting int // who may wait at most

	mu       sync.Mutex
	size     int
	reserve  int
	few      int // a token that holds fewer may take from the reserve
	peak     int // of demand, since it was asked for
	free     int
	room     int       // for more who wait
	rotation list.List // of *tenant: the tokens that wait, the next one in front
	byToken  map[keyedhash.Sum]*Tenant
	spare    []*Tenant // to use again
}

// Tenant is a token that holds slots or waits for one.
type Tenant struct {
	token   keyedhash.Sum
	held    int
	waiting int
	turn    *list.Element // in the rotation; nil while nobody waits

	operations list.List // of *operationQueue, the next one in front
	byOwner    map[*Operation]*list.Element
}

// operationQueue is the wait of one operation's calls, in their order.
type operationQueue struct {
	owner   *Operation
	waiters list.List // of *waiter
}

// waiter is ready once: nil is a slot, ErrBusy is none.
type waiter struct {
	owner *Operation
	slots int
	ready chan error
	at    *list.Element // nil when it waits no more
}

// NewFairQueue has so many slots, and room for so many who wait.
func NewFairQueue(concurrency, waiting int) *FairQueue {
	q := &FairQueue{waiting: waiting, room: waiting, byToken: map[keyedhash.Sum]*Tenant{}}
	q.Resize(concurrency)
	return q
}

// Resize has so many slots from now on, one at least. Those that are held are not taken
// back: where they are more, none is given before enough are released.
func (q *FairQueue) Resize(concurrency int) {
	concurrency = max(concurrency, 1)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free += concurrency - q.size
	q.size = concurrency
	q.reserve = concurrency / reserveShare
	if concurrency > 1 {
		q.reserve = max(1, q.reserve)
	}
	q.few = max(1, q.reserve/8)
	q.handOn()
}

// Demand is how many slots are held now, and how many were held and waited for at the same
// time at most since Demand was called last.
func (q *FairQueue) Demand() (held, peak int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	peak, q.peak = q.peak, q.demand()
	return q.size - q.free, peak
}

func (q *FairQueue) demand() int { return q.size - q.free + q.waiting - q.room }

// eligible says whether the token may have so many more slots. A token without any may
// have each that is free; one that holds many leaves some to others.
func (q *FairQueue) eligible(t *Tenant, slots int) bool {
	held, free := t.held+slots-1, q.free-slots+1 // before the last one
	return free > 0 && (t.held < q.few || held < maxShare*(free-q.reserve))
}

// Takes says whether the token would be given a slot without a wait or, where it would wait
// for one, a place among those who do.
func (q *FairQueue) Takes(token keyedhash.Sum, waits bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.byToken[token]
	if t == nil {
		t = &Tenant{}
	}
	if t.waiting == 0 && q.eligible(t, 1) {
		return true
	}
	return waits && (q.room > 0 || q.victim(t) != t)
}

// Acquire waits for so many slots at once, so long at most; Release gives them back. The
// error is ErrBusy or a context's. A longest of 0 does not wait.
func (q *FairQueue) Acquire(ctx context.Context, token keyedhash.Sum, op *Operation, slots int, longest time.Duration) (*Tenant, error) {
	q.mu.Lock()
	t := q.tenant(token)
	if t.waiting == 0 && q.eligible(t, slots) {
		q.grant(t, slots)
		q.mu.Unlock()
		return t, nil
	}
	if longest <= 0 {
		q.forgetIdle(t)
		q.mu.Unlock()
		return nil, ErrBusy
	}
	w, ok := q.join(t, op, slots)
	q.handOn() // who gave up a place may have stood before who needs fewer slots
	q.forgetIdle(t)
	q.mu.Unlock()
	if !ok {
		return nil, ErrBusy
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	select {
	case err := <-w.ready:
		return t, err
	case <-ctx.Done():
		q.abandon(t, w)
		return nil, ctx.Err()
	}
}

// Release returns slots: the token whose turn it is gets them.
func (q *FairQueue) Release(t *Tenant, slots int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t.held -= slots
	q.free += slots
	q.handOn()
	q.forgetIdle(t)
}

// handOn gives what became free to those who wait, in turns, until it is too little for
// each of them.
func (q *FairQueue) handOn() {
	for given := true; given && q.free > 0; {
		given = false
		var next *list.Element
		for turn := q.rotation.Front(); turn != nil && q.free > 0; turn = next {
			next = turn.Next()
			given = q.serve(turn) || given
		}
	}
}

// serve gives the token what it waits for in its turn, and has it wait for the next one.
func (q *FairQueue) serve(turn *list.Element) bool {
	t := turn.Value.(*Tenant)
	first := t.operations.Front()
	w := first.Value.(*operationQueue).waiters.Front().Value.(*waiter)
	if !q.eligible(t, w.slots) {
		return false
	}
	q.rotation.MoveToBack(turn)
	t.operations.MoveToBack(first)
	q.remove(t, w)
	q.grant(t, w.slots)
	w.ready <- nil
	return true
}

// Waiting is how many wait for a slot.
func (q *FairQueue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting - q.room
}

// Free is how many slots nobody holds.
func (q *FairQueue) Free() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.free
}

func (q *FairQueue) grant(t *Tenant, slots int) {
	t.held += slots
	q.free -= slots
	q.peak = max(q.peak, q.demand())
}

// abandon takes back a waiter whose context has ended, and the slots that it may have been
// given in the meantime.
func (q *FairQueue) abandon(t *Tenant, w *waiter) {
	q.mu.Lock()
	waits := w.at != nil
	if waits {
		q.remove(t, w)
		q.handOn()
		q.forgetIdle(t)
	}
	q.mu.Unlock()
	if !waits && <-w.ready == nil {
		q.Release(t, w.slots)
	}
}

// tenant is the token's, a new one where it has none.
func (q *FairQueue) tenant(token keyedhash.Sum) *Tenant {
	t := q.byToken[token]
	if t != nil {
		return t
	}
	if n := len(q.spare); n > 0 {
		t, q.spare = q.spare[n-1], q.spare[:n-1]
	} else {
		t = &Tenant{byOwner: map[*Operation]*list.Element{}}
	}
	t.token = token
	q.byToken[token] = t
	return t
}

// forgetIdle ends with a token that neither holds nor waits.
func (q *FairQueue) forgetIdle(t *Tenant) {
	if t.held > 0 || t.waiting > 0 {
		return
	}
	delete(q.byToken, t.token)
	if len(q.spare) < 16 {
		q.spare = append(q.spare, t)
	}
}
