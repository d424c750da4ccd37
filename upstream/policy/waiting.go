package policy

// join puts a waiter into its operation's line. Where there is no room, whoever waits
// for most gives up a place: another token that has more waiters, or else another
// operation of the same token.
func (q *FairQueue) join(t *Tenant, owner *Operation, slots int) (*waiter, bool) {
	if owner == nil {
		owner = new(Operation)
	}
	if q.room == 0 && !q.shed(t, owner) {
		return nil, false
	}
	o := t.operation(owner)
	w := &waiter{owner: owner, slots: slots, ready: make(chan error, 1)}
	w.at = o.waiters.PushBack(w)
	t.waiting++
	q.room--
	q.peak = max(q.peak, q.demand())
	if t.turn == nil {
		t.turn = q.rotation.PushBack(t)
	}
	return w, true
}

func (t *Tenant) operation(owner *Operation) *operationQueue {
	at := t.byOwner[owner]
	if at == nil {
		at = t.operations.PushBack(&operationQueue{owner: owner})
		t.byOwner[owner] = at
	}
	return at.Value.(*operationQueue)
}

// victim is the token that waits for most, once the token waits for one more.
func (q *FairQueue) victim(t *Tenant) *Tenant {
	victim, most := t, t.waiting+1
	for turn := q.rotation.Front(); turn != nil; turn = turn.Next() {
		if other := turn.Value.(*Tenant); other.waiting > most {
			victim, most = other, other.waiting
		}
	}
	return victim
}

// shed makes room for a waiter of the token and the operation, unless they are the ones
// that wait for most.
func (q *FairQueue) shed(t *Tenant, owner *Operation) bool {
	victim := q.victim(t)
	least := 0
	if victim == t {
		least = 1
		if at := t.byOwner[owner]; at != nil {
			least += at.Value.(*operationQueue).waiters.Len()
		}
	}
	w := victim.last(least)
	if w == nil {
		return false
	}
	q.remove(victim, w) // which leaves it another one
	w.ready <- ErrBusy
	return true
}

// last is the last waiter of the token's longest operation, nil where none is longer
// than the length.
func (t *Tenant) last(length int) (w *waiter) {
	for at := t.operations.Front(); at != nil; at = at.Next() {
		if waiters := &at.Value.(*operationQueue).waiters; waiters.Len() > length {
			w, length = waiters.Back().Value.(*waiter), waiters.Len()
		}
	}
	return w
}

// remove ends a wait.
func (q *FairQueue) remove(t *Tenant, w *waiter) {
	at := t.byOwner[w.owner]
	o := at.Value.(*operationQueue)
	o.waiters.Remove(w.at)
	w.at = nil
	q.room++
	if o.waiters.Len() == 0 {
		t.operations.Remove(at)
		delete(t.byOwner, w.owner)
	}
	if t.waiting--; t.waiting == 0 {
		q.rotation.Remove(t.turn)
		t.turn = nil
	}
}
