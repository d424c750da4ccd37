package poll_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/poll"
)

// others are the other instances of a fleet: the test says what they do. What Redis does is
// tested where it is used.
type others struct {
	mu       sync.Mutex
	claim    poll.Claim
	failing  bool
	refusing bool // stores
	known    []poll.SharedState
	stored   []poll.SharedState
	interest []poll.Interest
	hear     func(poll.Message)
	released int
}

func (o *others) Join(_ string, hear func(poll.Message)) poll.Membership {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hear = hear
	return o
}

func (o *others) Wake(string)         {}
func (o *others) OnWake(func(string)) {}

func (o *others) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

func (o *others) Claim(_ context.Context, _ int64, lease time.Duration) (poll.Claim, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failing {
		return poll.Claim{}, errors.New("no fleet")
	}
	o.claim.Turn++
	o.claim.Left = lease
	return o.claim, nil
}

func (o *others) Release(context.Context, int64) { o.set(func() { o.released++ }) }

func (o *others) Store(_ context.Context, fence int64, state poll.SharedState) (poll.Position, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.refusing || fence != o.claim.Fence {
		return poll.Position{}, false, nil
	}
	o.claim.Seq++
	state.At = poll.Position{Fence: fence, Seq: o.claim.Seq}
	o.stored = append(o.stored, state)
	return state.At, true, nil
}

func (o *others) Load(_ context.Context, ids []string) (states []poll.SharedState, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, state := range o.known {
		for _, id := range ids {
			if state.ID == id {
				states = append(states, state)
			}
		}
	}
	return states, nil
}

func (o *others) Remove(context.Context, string, poll.Position) {}

func (o *others) Interest(_ context.Context, interest poll.Interest) error {
	o.set(func() { o.interest = append(o.interest, interest) })
	return nil
}

func (o *others) Close() {}

// tell has the instance hear a state, the newest of the fence.
func (o *others) tell(status upstream.JobStatus, fence, seq, turn int64) {
	o.hear(poll.Message{State: &poll.SharedState{ID: jobID, State: job(status), At: poll.Position{Fence: fence, Seq: seq}, Turn: turn}})
}

// turn is the last claim's.
func (o *others) turn() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.claim.Turn
}

func inFleet(t *testing.T, src upstream.Source, o *others, ids ...string) (*poll.Poller, <-chan upstream.Result) {
	t.Helper()
	poller := poll.New(src, poll.Options{Fleet: o, MaxJobs: 10})
	states, err := poller.Watch(t.Context(), token, ids)
	require.NoError(t, err)
	return poller, states
}

func TestFleet_AFollowerHearsStatesInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		o := &others{claim: poll.Claim{Fence: 3, Seq: 1},
			known: []poll.SharedState{{ID: jobID, State: job(upstream.StatusAuthorizing), At: poll.Position{Fence: 3, Seq: 1}}}}
		_, states := inFleet(t, src, o, jobID)
		assert.Equal(t, "AUTHORIZING", waiting(states), "what the fleet knows")
		o.tell(upstream.StatusInProcess, 3, 3, 9)
		assert.Equal(t, "IN_PROCESS", waiting(states))
		for _, older := range []poll.Position{{Fence: 3, Seq: 2}, {Fence: 2, Seq: 99}, {Fence: 3, Seq: 3}} {
			o.tell(upstream.StatusPending, older.Fence, older.Seq, 9)
			assert.Equal(t, "nothing", waiting(states), "%v is older, or known", older)
		}
		// A message is lost: a claim tells, and the state is where it is stored.
		o.set(func() {
			o.claim.Seq = 4
			o.known[0].State, o.known[0].At = job(upstream.StatusReviewing), poll.Position{Fence: 3, Seq: 4}
		})
		time.Sleep(2 * time.Second)
		assert.Equal(t, "REVIEWING", waiting(states), "one interval later at most")
		time.Sleep(time.Hour)
		assert.Empty(t, src.seen(), "the holder looks")
		last := poll.SharedState{ID: jobID, State: returned(), Last: true, At: poll.Position{Fence: 3, Seq: 5}}
		o.hear(poll.Message{State: &last})
		assert.Equal(t, "COMPLETE returned", waiting(states))
		assert.Equal(t, "closed", waiting(states))
	})
}

func TestFleet_AStateThatMayBeOlderThanAnOwnLookIsVerified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set(jobID, job(upstream.StatusInProcess))
		o := &others{failing: true, claim: poll.Claim{Fence: 3}}
		_, states := inFleet(t, src, o, jobID)
		assert.Equal(t, "IN_PROCESS", waiting(states), "alone, it looks")
		time.Sleep(10 * time.Second)
		before := o.turn()
		o.set(func() { o.failing = false })
		time.Sleep(3 * time.Second)
		asked := pause(src)
		o.tell(upstream.StatusPending, 3, 1, before) // its look began before the own one ended
		time.Sleep(time.Second)
		assert.Equal(t, "nothing", waiting(states), "a state never goes back")
		assert.Equal(t, asked+1, len(src.seen()))
		time.Sleep(3 * time.Second) // a claim later, what the holder looks at is newer
		src.set(jobID, job(upstream.StatusReviewing))
		o.tell(upstream.StatusReviewing, 3, 2, o.turn())
		assert.Equal(t, "REVIEWING", waiting(states))
		assert.Equal(t, asked+1, len(src.seen()), "and needs no look")
	})
}

// The holder, which had no error, tells nothing: the follower has to look again.
func TestFleet_AVerifyingLookThatFailsIsLookedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set(jobID, job(upstream.StatusInProcess))
		o := &others{failing: true, claim: poll.Claim{Fence: 3}}
		_, states := inFleet(t, src, o, jobID)
		assert.Equal(t, "IN_PROCESS", waiting(states))
		time.Sleep(10 * time.Second)
		before := o.turn()
		o.set(func() { o.failing = false })
		time.Sleep(3 * time.Second)
		src.set(jobID, &upstream.Error{Type: upstream.Unavailable})
		o.tell(upstream.StatusReviewing, 3, 1, before)
		time.Sleep(time.Second)
		assert.Equal(t, string(upstream.Unavailable), waiting(states))
		src.set(jobID, job(upstream.StatusReviewing))
		time.Sleep(2 * time.Minute)
		assert.Equal(t, "REVIEWING", waiting(states))
		asked := pause(src)
		time.Sleep(2 * time.Minute)
		assert.Equal(t, asked, len(src.seen()), "then the holder's looks are enough again")
	})
}

// A job that changes faster than it may be looked at is not verified for ever.
func TestFleet_WhatWasToldBeforeAVerifyingLookNeedsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set(jobID, job(upstream.StatusInProcess))
		o := &others{failing: true, claim: poll.Claim{Fence: 3}}
		_, states := inFleet(t, src, o, jobID)
		assert.Equal(t, "IN_PROCESS", waiting(states))
		time.Sleep(10 * time.Second)
		before := o.turn()
		o.set(func() { o.failing = false })
		time.Sleep(3 * time.Second)
		src.set(jobID, job(upstream.StatusReviewing))
		asked := pause(src)
		for seq, status := range []upstream.JobStatus{upstream.StatusPending, upstream.StatusInProcess, upstream.StatusPending} {
			o.tell(status, 3, int64(seq+1), before)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		assert.Equal(t, "REVIEWING", waiting(states))
		assert.Equal(t, asked+2, len(src.seen()), "at once, and when the job may be looked at again")
	})
}

func TestFleet_ALookUnderALostLeaseIsNobodys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set(jobID, job(upstream.StatusPending))
		o := &others{claim: poll.Claim{Held: true, Fence: 1}}
		poller, states := inFleet(t, src, o, jobID)
		assert.Equal(t, "PENDING", waiting(states))
		assert.Equal(t, 1, poller.FleetStats().Leases)
		o.set(func() { o.refusing = true })
		src.set(jobID, job(upstream.StatusInProcess))
		time.Sleep(30 * time.Second)
		assert.Equal(t, "nothing", waiting(states))
		o.set(func() { o.refusing, o.claim.Fence = false, 2 })
		time.Sleep(30 * time.Second)
		assert.Equal(t, "IN_PROCESS", waiting(states))
		o.set(func() {
			assert.Equal(t, poll.Position{Fence: 2, Seq: 2}, o.stored[len(o.stored)-1].At)
		})
	})
}

func TestFleet_TheHolderPollsWhatOthersWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set(jobID, job(upstream.StatusPending))
		var ids []string
		for n := range 20 {
			ids = append(ids, fmt.Sprintf("a%03x", n))
			src.set(ids[n], job(upstream.StatusPending))
		}
		o := &others{claim: poll.Claim{Held: true, Fence: 1}}
		ctx, cancel := context.WithCancel(t.Context())
		poller := poll.New(src, poll.Options{Fleet: o, MaxJobs: 10})
		states, _ := poller.Watch(ctx, token, []string{jobID})
		assert.Equal(t, "PENDING", waiting(states))
		o.hear(poll.Message{Interest: &poll.Interest{From: "other", IDs: ids, Need: true}})
		synctest.Wait()
		assert.Len(t, src.seen(), 11, "as many as one instance watches, and no more")
		assert.Equal(t, 1, poller.Jobs(), "they are not its own")
		o.hear(poll.Message{Interest: &poll.Interest{From: "other", IDs: ids[:4], Gone: true}})
		time.Sleep(10 * time.Minute) // nobody tells again
		asked := len(src.seen())
		time.Sleep(10 * time.Minute)
		for _, poll := range src.seen()[asked:] {
			assert.Equal(t, jobID, poll.id, "what nobody tells again is forgotten")
		}
		// Who has no subscriber with the token does not use it for others.
		o.hear(poll.Message{Interest: &poll.Interest{From: "other", IDs: ids[:4]}})
		cancel()
		synctest.Wait()
		assert.Equal(t, 1, o.released)
		asked = len(src.seen())
		time.Sleep(10 * time.Minute)
		assert.Len(t, src.seen(), asked)
	})
}

// The holder may have no room for a job, or have forgotten it.
func TestFleet_AFollowerThatHearsNothingLooksForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set(jobID, job(upstream.StatusPending))
		o := &others{claim: poll.Claim{Fence: 1}}
		_, states := inFleet(t, src, o, jobID)
		assert.Equal(t, "nothing", waiting(states))
		time.Sleep(time.Second)
		assert.Equal(t, "PENDING", waiting(states), "after a second")
		o.set(func() {
			assert.Equal(t, []string{jobID}, o.interest[0].IDs)
			assert.True(t, o.interest[0].Need)
		})
		src.set(jobID, job(upstream.StatusInProcess))
		time.Sleep(time.Minute)
		assert.Equal(t, "IN_PROCESS", waiting(states))
	})
}

func TestFleet_AllIsToldAgainToANewHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		o := &others{claim: poll.Claim{Fence: 1, Seq: 1},
			known: []poll.SharedState{{ID: jobID, State: job(upstream.StatusPending), At: poll.Position{Fence: 1, Seq: 1}}}}
		_, states := inFleet(t, src, o, jobID)
		assert.Equal(t, "PENDING", waiting(states))
		o.set(func() { o.interest, o.claim.Fence = nil, 2 })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		o.set(func() {
			require.NotEmpty(t, o.interest)
			assert.Equal(t, []string{jobID}, o.interest[0].IDs)
			assert.True(t, o.interest[0].Need, "the state is of the holder before: nobody says that it is so still")
		})
		assert.Empty(t, src.seen())
	})
}
