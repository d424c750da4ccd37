package budget_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/budget"
)

// TestBudget_AnyOrderOfHolders has many goroutines make, share, resize and release answers
// in a random order, which may be repeated by its seed.
func TestBudget_AnyOrderOfHolders(t *testing.T) {
	const total, each = 3_500, 3_000 // so that few answers have room beside each other
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	b := budget.New(total, each)
	var (
		mu     sync.Mutex
		shared []*budget.Answer // anybody may take one; some have no holder any more
		wait   sync.WaitGroup
		tally  sync.Map // error -> true
	)
	for worker := range uint64(16) {
		random := rand.New(rand.NewPCG(seed, worker))
		wait.Go(func() {
			for range 2_000 {
				var hold budget.Hold
				mu.Lock()
				if len(shared) > 0 && random.IntN(2) == 0 {
					a := shared[random.IntN(len(shared))]
					mu.Unlock()
					tally.Store(hold.Take(a), true)
				} else {
					a := hold.Open(b)
					if len(shared) < 20 {
						shared = append(shared, a)
					} else {
						shared[random.IntN(20)] = a
					}
					mu.Unlock()
					for range random.IntN(4) {
						tally.Store(a.Reserve(random.IntN(1_500)), true)
					}
					tally.Store(a.Resize(random.IntN(2_000)), true)
				}
				if inUse := b.InUse(); inUse < 0 || inUse > total {
					t.Errorf("%d bytes in use", inUse)
				}
				hold.Close()
				if random.IntN(2) == 0 {
					hold.Close()
				}
			}
		})
	}
	wait.Wait()
	assert.Zero(t, b.InUse())
	for _, want := range []error{nil, budget.ErrTooLarge, budget.ErrOverloaded} {
		_, seen := tally.Load(want)
		assert.True(t, seen, "never: %v", want)
	}
}

// TestBudget_SharedOnce has one answer held by many.
func TestBudget_SharedOnce(t *testing.T) {
	b := budget.New(1_000, 600)
	first := budget.Hold{}
	answer := first.Open(b)
	require.NoError(t, answer.Reserve(600))
	holds := make([]budget.Hold, 1_000)
	for i := range holds {
		require.NoError(t, holds[i].Take(answer))
	}
	assert.EqualValues(t, 600, b.InUse())
	first.Close()
	for i := range holds {
		assert.EqualValues(t, 600, b.InUse(), "before holder %d is the last", i)
		holds[i].Close()
	}
	assert.Zero(t, b.InUse())

	require.NoError(t, first.Take(answer), "it may be held again")
	assert.EqualValues(t, 600, b.InUse())
	var other budget.Hold
	assert.ErrorIs(t, other.Open(b).Reserve(401), budget.ErrOverloaded)
	other.Close()
	assert.EqualValues(t, 600, b.InUse())
	first.Close()
	require.NoError(t, other.Open(b).Reserve(401))
	assert.ErrorIs(t, first.Take(answer), budget.ErrOverloaded, "its room is another's now")
	other.Close()
	assert.Zero(t, b.InUse())
}

func TestBudget_OneAnswersBound(t *testing.T) {
	b := budget.New(1_000, 600)
	var hold budget.Hold
	answer := hold.Open(b)
	require.NoError(t, answer.Reserve(600))
	assert.ErrorIs(t, answer.Reserve(1), budget.ErrTooLarge)
	assert.ErrorIs(t, answer.Reserve(0), budget.ErrTooLarge, "what was refused stays refused")
	assert.True(t, errors.Is(answer.Err(), budget.ErrTooLarge))
	assert.EqualValues(t, 600, b.InUse())
	hold.Close()
	assert.Zero(t, b.InUse())

	answer = hold.Open(b)
	require.NoError(t, answer.Reserve(500))
	require.NoError(t, answer.Resize(100))
	assert.EqualValues(t, 100, b.InUse())
	assert.Equal(t, 100, answer.Size())
	hold.Open(b)
	assert.Zero(t, b.InUse(), "another answer takes its place")
	hold.Close()
}

// What an operation holds of its jobs is no part of the answer that is written of them.
func TestBudget_JobsCountUntilTheAnswerIsWritten(t *testing.T) {
	b := budget.New(1_000, 600)
	var hold budget.Hold
	answer := hold.Open(b)
	require.NoError(t, answer.ReserveJob(600))
	require.NoError(t, answer.Reserve(100))
	assert.EqualValues(t, 700, b.InUse())
	require.NoError(t, answer.Resize(500))
	assert.EqualValues(t, 500, b.InUse())
	assert.ErrorIs(t, answer.Reserve(101), budget.ErrTooLarge, "the jobs are gone")
	hold.Close()
	assert.Zero(t, b.InUse())
}

func TestBudget_NothingIsBoundedWithoutAHold(t *testing.T) {
	var hold *budget.Hold
	assert.Nil(t, budget.HoldFrom(t.Context()))
	assert.Nil(t, hold.Open(budget.New(0, 0)))
	assert.NoError(t, hold.Take(nil))
	assert.Nil(t, hold.Answer())
	hold.Close()
}
