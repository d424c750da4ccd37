package memory_test

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"jobgraph/graph/serve/memory"
)

func TestMemory_Tune(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(math.MaxInt64)
	defer func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) }()

	t.Setenv("GOGC", "100")
	memory.Tune()
	assert.Equal(t, 100, debug.SetGCPercent(100), "GOGC is the operator's word")
	assert.EqualValues(t, math.MaxInt64, debug.SetMemoryLimit(-1))

	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "1GiB")
	memory.Tune()
	assert.Equal(t, 400, debug.SetGCPercent(100))
	assert.EqualValues(t, math.MaxInt64, debug.SetMemoryLimit(-1), "GOMEMLIMIT is the operator's word")

	t.Setenv("GOMEMLIMIT", "")
	memory.Tune()
	assert.Less(t, debug.SetMemoryLimit(-1), int64(64<<20))
	large := make([]byte, 100<<20)
	waitFor(t, func(limit int64) bool { return limit > 140<<20 && limit < 162<<20 }, "a large heap has 40 MiB of room")
	runtime.KeepAlive(large)
	end := make(chan struct{})
	for range 1000 {
		go useStack(40, end)
	}
	waitFor(t, func(limit int64) bool { return limit == 144<<20 }, "stacks have room, which is bounded")
	close(end)
	waitFor(t, func(limit int64) bool { return limit < 64<<20 }, "a small one has what it had")
}

// useStack waits with a KiB of stack and more for each call that it is deep.
//
//go:noinline
func useStack(calls int, end <-chan struct{}) byte {
	var frame [1 << 10]byte
	if calls > 0 {
		return useStack(calls-1, end) + frame[calls]
	}
	<-end
	return frame[0]
}

func waitFor(t *testing.T, holds func(limit int64) bool, what string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		runtime.GC() // its finalizers run a little later
		if runtime.Gosched(); holds(debug.SetMemoryLimit(-1)) {
			return
		}
	}
	t.Errorf("%s: the limit is %d", what, debug.SetMemoryLimit(-1))
}
