// Package memory has the garbage collector use memory that is cheap to save time
// that is not.
package memory

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// percent is how much garbage may pile up, in parts of what is in use. Go's own
	// 100 collects a small heap such as ours all the time: four times as much
	// answered ten jobs with a third less of the processor.
	percent = 400
	// softLimit is where that ends, in bytes of all that the Go runtime uses. The
	// process has about 15 MiB more, of the program's own text.
	softLimit = 44 << 20
	// maxRoom is for garbage beside a large heap, in bytes: what clients may have the
	// process hold must not count twice.
	maxRoom = 40 << 20
	// fewStacks is bytes of stacks that get no room for garbage: those of some dozens of
	// connections.
	fewStacks = 4 << 20
	// maxLimit is where room for the sake of stacks ends, in bytes of all as softLimit is.
	maxLimit = 144 << 20
)

// Tune sets the garbage collector up, unless the environment does with GOGC or
// GOMEMLIMIT: garbage may pile up to percent, but not beyond softLimit. A heap that
// has outgrown it has room for twice as much again, and 13 MiB, up to maxRoom: a limit
// that does not give way would have the collector run all the time.
//
// A collection walks all stacks, and under load there are more of them and more
// collections: those beyond fewStacks have room for twice their own bytes besides, up to
// maxLimit. With its caches full and some dozens of connections the process stays below
// 128 MB so, with a thousand under load below 176 MB.
func Tune() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(percent)
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetMemoryLimit(softLimit)
	runtime.SetFinalizer(&gcSentinel{}, (*gcSentinel).limit)
}

// gcSentinel is garbage at once, so that its finalizer runs after each collection.
// It is no empty struct, which has no address of its own.
type gcSentinel struct{ _ [16]byte }

func (c *gcSentinel) limit() {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(sample)
	live, stacks := int64(sample[0].Value.Uint64()), int64(sample[1].Value.Uint64())
	used := live + stacks
	limit := max(softLimit, used+min(2*used+3*softLimit/10, maxRoom))
	debug.SetMemoryLimit(max(limit, min(limit+2*(stacks-fewStacks), maxLimit)))
	runtime.SetFinalizer(c, (*gcSentinel).limit)
}
