package load

import (
	"math/rand/v2"
	"time"
)

// Sample makes exchanges over [API] that ask for lists of jobs of one set, in any order.
type Sample struct {
	// Jobs is how many the set has, IDs how many one query asks for.
	Jobs, IDs int
	// First is the number of its first job.
	First int
}

// Open is [Open] with such exchanges.
func (s Sample) Open(url string, connections int, perSecond float64, long time.Duration) Tally {
	return open(url, func() Sample { return s }, connections, perSecond, long)
}

// next asks for any of them.
func (s Sample) next() exchange {
	ids := make([]string, s.IDs)
	for n := range ids {
		ids[n] = id(activeJob, int64(s.First)+rand.Int64N(int64(s.Jobs)))
	}
	return list(ids...)
}

// Sweep asks for each settled job of the set once, over one connection that it opens for
// each query: a balancer gives them to its servers in turns.
func (s Sample) Sweep(url string) (all Tally) {
	for first := 0; first < s.Jobs; first += s.IDs {
		ids := make([]string, min(s.IDs, s.Jobs-first))
		for n := range ids {
			ids[n] = id(settledJob, int64(s.First+first+n))
		}
		a := asker{url: url, exchanges: fixed(list(ids...))}
		a.ask(time.Now())
		a.close()
		all.Add(&a.Tally)
	}
	return all
}

// fixed is the same exchange each time.
type fixed exchange

func (f fixed) next() exchange { return exchange(f) }
