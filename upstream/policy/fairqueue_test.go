package policy

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream/replay"
)

// asker is one call in a fair queue, as the test sees it.
type asker struct {
	token    int
	slots    int
	cancel   context.CancelFunc
	done     bool
	turn     *Tenant
	err      error
	overtook int // slots given to others while this one waited and its token held none
}

// queueUnderTest is a fair queue and all who asked it.
type queueUnderTest struct {
	t           *testing.T
	random      *rand.Rand
	q           *FairQueue
	concurrency int
	waiting     int
	most        int // slots of one call
	excess      int // slots held that there are no more
	resized     bool
	operations  []*Operation
	askers      []*asker // who hold or wait
}

// Random tokens and operations acquire, release and leave at random: never are more slots
// given than there are, whatever their number is at the moment, none is lost, none is free
// that somebody could use, and no token starves.
func TestFairQueue(t *testing.T) {
	random := replay.Rand(t)
	for range 60 {
		synctest.Test(t, func(t *testing.T) {
			u := &queueUnderTest{t: t, random: random, concurrency: 1 + random.IntN(40), waiting: 1 + random.IntN(60), most: 1}
			if random.IntN(2) == 0 {
				u.most = 1 + random.IntN(u.concurrency)
			}
			u.q = NewFairQueue(u.concurrency, u.waiting)
			for range 5 {
				u.operations = append(u.operations, new(Operation))
			}
			tokens, eager, resizes := 1+random.IntN(12), random.IntN(100), random.IntN(2) == 0
			for range 400 {
				switch n := random.IntN(100); {
				case n < eager:
					u.acquire(random.IntN(1 + random.IntN(tokens))) // some ask more than others
				case n < 90:
					u.release()
				case n < 94:
					u.abandon()
				case n < 96 && resizes:
					u.resize()
				default:
					u.release(u.waiters()...)
				}
				u.check()
			}
			u.end()
		})
	}
}

func (u *queueUnderTest) acquire(token int) {
	ctx, cancel := context.WithCancel(context.Background())
	var op *Operation
	if n := u.random.IntN(6); n < 5 {
		op = u.operations[n]
	}
	a := &asker{token: token, slots: 1 + u.random.IntN(u.most), cancel: cancel}
	u.askers = append(u.askers, a)
	idle := u.held(token) == 0 && !u.waits(token) && u.q.free >= a.slots
	go func() {
		a.turn, a.err = u.q.Acquire(ctx, key(token), op, a.slots, time.Hour)
		a.done = true
	}()
	synctest.Wait()
	if idle {
		assert.True(u.t, a.done && a.err == nil, "a token without a slot waits while one is free")
	}
}

// release gives a slot back at the very moment when the others leave.
func (u *queueUnderTest) release(leaving ...*asker) {
	before := u.waiters()
	var holders []*asker
	for _, a := range u.askers {
		if a.done && a.err == nil {
			holders = append(holders, a)
		}
	}
	if len(holders) == 0 {
		return
	}
	a := holders[u.random.IntN(len(holders))]
	u.askers = slices.DeleteFunc(u.askers, func(other *asker) bool { return other == a })
	a.cancel()
	for _, other := range leaving {
		other.cancel()
	}
	u.q.Release(a.turn, a.slots)
	synctest.Wait()
	if u.most == 1 {
		u.nobodyStarves(before)
	}
}

// nobodyStarves: each other token that waits was given one slot at most before.
func (u *queueUnderTest) nobodyStarves(before []*asker) {
	granted := map[int]bool{}
	for _, a := range before {
		if a.done && a.err == nil {
			granted[a.token] = true
		}
	}
	for _, a := range before {
		if a.done || granted[a.token] || u.held(a.token) > 0 {
			a.overtook = 0
			continue
		}
		a.overtook += len(granted)
		assert.LessOrEqual(u.t, a.overtook, 12, "a token that holds nothing starves")
	}
}

// resize gives nothing while more are held than there are.
func (u *queueUnderTest) resize() {
	before := u.waiters()
	u.concurrency = max(u.most, 1+u.random.IntN(40)) // no call is larger than all slots
	u.q.Resize(u.concurrency)
	free := u.q.Free()
	u.excess, u.resized = max(0, -free), true
	synctest.Wait()
	if free < 0 {
		assert.Equal(u.t, before, u.waiters(), "a slot was given that is not there")
	}
	for _, a := range u.askers {
		a.overtook = 0
	}
}

func (u *queueUnderTest) abandon() {
	if waiters := u.waiters(); len(waiters) > 0 {
		a := waiters[u.random.IntN(len(waiters))]
		a.cancel()
		synctest.Wait()
		assert.ErrorIs(u.t, a.err, context.Canceled)
	}
}

func (u *queueUnderTest) waiters() []*asker {
	return slices.DeleteFunc(slices.Clone(u.askers), func(a *asker) bool { return a.done })
}

func (u *queueUnderTest) held(token int) (n int) {
	for _, a := range u.askers {
		if a.token == token && a.done && a.err == nil {
			n += a.slots
		}
	}
	return n
}

func (u *queueUnderTest) waits(token int) bool {
	return slices.ContainsFunc(u.askers, func(a *asker) bool { return a.token == token && !a.done })
}

func (u *queueUnderTest) check() {
	u.askers = slices.DeleteFunc(u.askers, func(a *asker) bool { return a.done && a.err != nil })
	held, waits, holders := map[int]int{}, map[int]int{}, map[int]int{}
	all := 0
	for _, a := range u.askers {
		if !a.done {
			waits[a.token]++
			continue
		}
		held[a.token] += a.slots
		all += a.slots
		holders[a.token]++
	}
	require.Equal(u.t, u.concurrency, all+u.q.free, "a slot was lost, or made")
	require.GreaterOrEqual(u.t, u.q.free, -u.excess, "more was given than there is")
	u.excess = max(0, -u.q.free)
	inUse, peak := u.q.Demand()
	require.Equal(u.t, all, inUse)
	require.GreaterOrEqual(u.t, peak, all+len(u.waiters()))
	require.Equal(u.t, u.waiting-len(u.waiters()), u.q.room)
	for n := range 12 {
		tenant := u.q.byToken[key(n)]
		if held[n]+waits[n] == 0 {
			require.Nil(u.t, tenant, "an idle token is remembered")
			continue
		}
		require.Equal(u.t, []int{held[n], waits[n]}, []int{tenant.held, tenant.waiting})
		if waits[n] > 0 {
			next := tenant.operations.Front().Value.(*operationQueue).waiters.Front().Value.(*waiter)
			require.False(u.t, u.q.eligible(tenant, next.slots), "slots are free that somebody waits for")
		}
		if holders[n] > 1 && !u.resized {
			require.Less(u.t, held[n], u.concurrency, "one token has all")
		}
	}
}

// end has all who wait get a slot and give it back.
func (u *queueUnderTest) end() {
	for len(u.askers) > 0 {
		before := len(u.askers)
		u.release()
		u.check()
		require.Less(u.t, len(u.askers), before, "those who wait are given nothing")
	}
	assert.Equal(u.t, u.concurrency, u.q.free)
	assert.Empty(u.t, u.q.byToken)
	assert.Zero(u.t, u.q.rotation.Len())
}

// What one token may hold at most, beside none, one and two others that hold all they may.
func TestFairQueue_SharesOfTokens(t *testing.T) {
	for concurrency, want := range map[int][]int{
		1: {1, 0, 0}, 2: {1, 1, 0}, 4: {3, 1, 0}, 16: {14, 1, 1}, 64: {53, 7, 1}, 256: {210, 27, 3}, 1024: {840, 105, 14},
	} {
		q := NewFairQueue(concurrency, 10)
		var got []int
		for n := range want {
			got = append(got, 0)
			for tenant := q.tenant(key(n)); q.eligible(tenant, 1); got[n]++ {
				q.grant(tenant, 1)
			}
		}
		assert.Equal(t, want, got, concurrency)
	}
}

// Those who wait for least are not the ones to give up.
func TestFairQueue_TheLongestWaitGivesUpASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &queueUnderTest{t: t, random: replay.Rand(t), q: NewFairQueue(1, 4), concurrency: 1, waiting: 4}
		u.operations = []*Operation{new(Operation), new(Operation)}
		begin := func(token int, op *Operation) *asker {
			a := &asker{token: token}
			go func() { a.turn, a.err = u.q.Acquire(t.Context(), key(token), op, 1, time.Hour); a.done = true }()
			synctest.Wait()
			return a
		}
		holder := begin(9, nil)
		require.NoError(t, holder.err)
		var many []*asker
		for range 4 {
			many = append(many, begin(1, u.operations[0]))
		}
		assert.ErrorIs(t, begin(1, u.operations[0]).err, ErrBusy, "the longest wait is its own")
		other := begin(1, u.operations[1])
		assert.ErrorIs(t, many[3].err, ErrBusy, "an operation of the same token that waits for most")
		second := begin(2, nil)
		assert.ErrorIs(t, many[2].err, ErrBusy, "another token that waits for most")
		var order []*asker
		for _, a := range []*asker{many[0], second, other, many[1]} {
			assert.False(t, a.done)
			u.q.Release(holder.turn, 1)
			synctest.Wait()
			require.True(t, a.done, "tokens take turns, and operations within")
			require.NoError(t, a.err)
			holder, order = a, append(order, a)
		}
		u.q.Release(holder.turn, 1)
		assert.Len(t, order, 4)
	})
}

func TestFairQueue_AnUncontendedSlotAllocatesNothing(t *testing.T) {
	q, op := NewFairQueue(256, 1000), new(Operation)
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		turn, err := q.Acquire(t.Context(), key(1), op, 1, time.Second)
		if err == nil {
			q.Release(turn, 1)
		}
	}))
}

func BenchmarkUncontendedSlot(b *testing.B) {
	q, op := NewFairQueue(256, 1000), new(Operation)
	for b.Loop() {
		turn, _ := q.Acquire(b.Context(), key(1), op, 1, time.Second)
		q.Release(turn, 1)
	}
}
