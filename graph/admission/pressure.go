package admission

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"jobgraph/upstream/policy"
)

const (
	// sampleEvery is how often the run queue is looked at. It stands where it was never
	// short for a window: a burst is over sooner.
	sampleEvery = 100 * time.Microsecond
	window      = 8 * time.Millisecond
	// minSamples of a window tell a queue that stands from a few callers' bursts.
	minSamples = 4
	// longQueue and shortQueue are goroutines a processor. They are next to nothing: the Go
	// runtime polls the network where a run queue is empty, and each 10 ms where none ever
	// is. What has come is read that much later then, be it to be refused.
	longQueue, shortQueue = 4, 2
	// leastYoung is how many operations a processor are begun under any pressure.
	leastYoung = 16
	// youngFor is how long an operation is taken for one that needs the processor: an older
	// one waits for the job API.
	youngFor = 50 * time.Millisecond
)

// pressure has a queue give fewer slots while a long queue of goroutines stands before the
// processors: another operation would make all others later there, and the refusals too.
// It takes a quarter of what is in use each time, and gives as much back where the queue is
// short. An operation that is older than youngFor does not count, as it hangs in calls
// of the job API: as many more are begun, up to all slots.
//
// It has no goroutine: who asks for a slot takes the samples.
type pressure struct {
	slots       *policy.FairQueue
	runnable    func() int
	observe     func(slots int)
	processors  int
	least, most int
	nextSample  atomic.Int64 // unix nanoseconds
	high        atomic.Bool  // fewer slots than most

	mu       sync.Mutex
	old      int       // operations older than youngFor
	young    int       // how many others may be under way
	began    time.Time // of the window; its first sample
	samples  int       // in the window
	shortest int       // run queue in the window, in goroutines
}

// newPressure is on a queue of which nobody holds a slot. It tells observe, which may be nil,
// how many slots there are.
func newPressure(slots *policy.FairQueue, runnable func() int, observe func(slots int)) *pressure {
	processors, most := runtime.GOMAXPROCS(0), slots.Free()
	if observe == nil {
		observe = func(int) {}
	}
	p := &pressure{slots: slots, runnable: runnable, observe: observe, processors: processors,
		least: min(most, leastYoung*processors), most: most, young: most}
	p.resize()
	return p
}

// begin counts an operation that has its slot, until end.
func (p *pressure) begin() (end func()) {
	ages := time.AfterFunc(youngFor, func() { p.age(1) })
	return func() {
		if !ages.Stop() {
			p.age(-1)
		}
	}
}

// yield has what has come meanwhile read first, and refused where it must be: who is given the
// slot of another operation would go before all that wait for a processor.
func (p *pressure) yield() {
	if p.high.Load() {
		runtime.Gosched()
	}
}

// age is called with 1 and then with -1 for each operation that becomes old, or the other way
// round where it ends in that moment.
func (p *pressure) age(operations int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.old += operations
	p.resize()
}

// sample looks at the run queue, unless somebody has just done so.
func (p *pressure) sample() {
	now := time.Now()
	if now.UnixNano() < p.nextSample.Load() || !p.mu.TryLock() {
		return
	}
	defer p.mu.Unlock()
	p.nextSample.Store(now.Add(sampleEvery).UnixNano())
	queue := p.runnable()
	if p.samples == 0 {
		p.began, p.shortest = now, queue
	}
	p.samples++
	p.shortest = min(p.shortest, queue)
	if now.Sub(p.began) < window {
		return
	}
	switch {
	case p.shortest <= shortQueue*p.processors:
		p.young = min(p.most, p.young+p.young/4+1)
	case p.shortest > longQueue*p.processors && p.samples >= minSamples:
		held, _ := p.slots.Demand()
		p.young = max(p.least, min(p.young, held-p.old)*3/4)
	}
	p.samples = 0
	p.resize()
}

func (p *pressure) resize() {
	slots := min(p.most, p.young+max(p.old, 0))
	p.high.Store(slots < p.most)
	p.slots.Resize(slots)
	p.observe(slots)
}

// runnableGoroutines is how many goroutines wait for a processor.
func runnableGoroutines() int {
	sample := []metrics.Sample{{Name: "/sched/goroutines/runnable:goroutines"}}
	metrics.Read(sample)
	return int(sample[0].Value.Uint64())
}
