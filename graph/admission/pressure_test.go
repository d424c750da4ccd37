package admission

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"jobgraph/upstream/policy"
)

// pressed is a pressure on so many slots, under a run queue of so many goroutines a
// processor as the test says.
func pressed(slots int) (p *pressure, queue *int) {
	queue = new(int)
	return newPressure(policy.NewFairQueue(slots, maxQueued), func() int { return *queue * runtime.GOMAXPROCS(0) }, nil), queue
}

// ask is callers for a while, one each so often.
func (p *pressure) ask(every, long time.Duration) {
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(every) {
		p.sample()
	}
}

// hold has an operation of the token in each of so many slots.
func (p *pressure) hold(t *testing.T, token string, slots int) (release func()) {
	l := &limiter{slots: p.slots, token: limiterOf(1).token}
	var ends []func()
	for range slots {
		ends = append(ends, take(t, l, withToken(t, token)), p.begin())
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

func TestPressure_StandingQueueTakesSlotsAndAShortOneGivesThemBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, queue := pressed(10_000)
		least := leastYoung * runtime.GOMAXPROCS(0)
		held := 3 * least
		*queue = longQueue
		p.ask(sampleEvery, time.Second)
		assert.Equal(t, 10_000, p.slots.Free(), "it is not too long yet")

		release := p.hold(t, "aa", held)
		*queue = longQueue + 1
		p.ask(sampleEvery, 2*window+sampleEvery) // the first half began before
		assert.Equal(t, held*3/4-held, p.slots.Free(), "a quarter of what is in use is taken")
		release()
		p.ask(sampleEvery, time.Second)
		assert.Equal(t, least, p.slots.Free(), "and never the last of them")

		*queue = shortQueue + 1
		p.ask(sampleEvery, time.Second)
		assert.Equal(t, least, p.slots.Free(), "it is not short yet")
		*queue = shortQueue
		p.ask(sampleEvery, window+sampleEvery)
		assert.Equal(t, least+least/4+1, p.slots.Free())
		p.ask(sampleEvery, time.Second)
		assert.Equal(t, 10_000, p.slots.Free())
	})
}

func TestPressure_BurstsTakeNoSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, queue := pressed(256)
		for range 100 {
			*queue = 1000
			p.ask(sampleEvery, window/2)
			*queue = 0
			p.ask(sampleEvery, sampleEvery)
		}
		assert.Equal(t, 256, p.slots.Free())
		*queue = 1000
		p.ask(window, time.Second)
		assert.Equal(t, 256, p.slots.Free(), "nobody knows what was between two that come now and then")
	})
}

func TestPressure_CallersWhoComeNowAndThenHaveSlotsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, queue := pressed(256)
		*queue = 1000
		p.ask(sampleEvery, time.Second)
		assert.Less(t, p.slots.Free(), 256)
		*queue = 0
		p.ask(3*window, 3*time.Second)
		assert.Equal(t, 256, p.slots.Free())
	})
}

// Operations of one token that hang, each in its slot, leave to others what there is under
// pressure, up to all slots.
func TestPressure_HangingOperationsLeaveSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, queue := pressed(10_000)
		least := leastYoung * runtime.GOMAXPROCS(0)
		release := p.hold(t, "aa", 5*least)
		*queue = 1000
		p.ask(sampleEvery, time.Second)
		assert.Equal(t, least, p.slots.Free())
		p.hold(t, "bb", 1)()
		release()
		assert.Equal(t, least, p.slots.Free(), "they count no more")
		p.hold(t, "aa", 1)()
		assert.Equal(t, least, p.slots.Free(), "nor does who ends soon")

		p, queue = pressed(256)
		release = p.hold(t, "aa", 200)
		*queue = 1000
		p.ask(sampleEvery, time.Second)
		assert.LessOrEqual(t, p.slots.Free(), 56)
		release()
	})
}

func TestRunnableGoroutines(t *testing.T) {
	var stop atomic.Bool
	defer stop.Store(true)
	for range 4 * runtime.GOMAXPROCS(0) {
		go func() {
			for !stop.Load() {
			}
		}()
	}
	assert.Eventually(t, func() bool { return runnableGoroutines() >= runtime.GOMAXPROCS(0) }, 10*time.Second, time.Millisecond)
}
