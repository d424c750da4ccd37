package graph_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/faults"
)

// For a long one: go test ./graph -run TestSoak -soak 2m -v
var soak = flag.Duration("soak", time.Second, "how long TestSoak mixes faults with good traffic")

// TestSoak ends with the goroutines, file descriptors and heap that it began with.
func TestSoak(t *testing.T) {
	all := faults.All("http://127.0.0.1:1")
	mix(t, all, time.Second/2) // what is made once is made now
	before := measured()
	mix(t, all, *soak)
	after := measured()
	// Connections end a little later than the calls on them. No Eventually here:
	// it has goroutines of its own.
	for deadline := time.Now().Add(10 * time.Second); !after.within(before) && time.Now().Before(deadline); after = measured() {
		time.Sleep(20 * time.Millisecond)
	}
	assert.True(t, after.within(before), "something is left")
	t.Logf("before %v, after %v", before, after)
	runtime.KeepAlive(all) // in both measures
}

// mix has eight callers ask for five good jobs and a faulty one, over and over.
func mix(t *testing.T, all []*faults.Fault, long time.Duration) {
	server, err := faults.NewServer(func(id string) *faults.Fault {
		number, bad := strings.CutPrefix(id, "bad")
		if !bad {
			return nil
		}
		i, _ := strconv.Atoi(number)
		return all[i]
	})
	require.NoError(t, err)
	defer server.Close()
	client, err := upstream.New(server.URL(), upstream.Options{Timeout: time.Second, AttemptTimeout: time.Second / 2})
	require.NoError(t, err)
	defer client.Close()
	t.Run("mix", func(t *testing.T) {
		endpoint := newEndpoint(t, client)
		var operations, served, refused atomic.Int64
		var callers sync.WaitGroup
		end := time.Now().Add(long)
		for range 8 {
			callers.Go(func() {
				for time.Now().Before(end) {
					results, err := endpoint.ask(append(fiveGood[:5:5], fmt.Sprintf("bad%d", rand.N(len(all))))...)
					if !assert.NoError(t, err) || !assert.Len(t, results, 6) {
						return
					}
					operations.Add(1)
					for _, r := range results {
						if r.Typename == "Job" {
							served.Add(1)
						} else {
							refused.Add(1)
						}
					}
				}
			})
		}
		callers.Wait()
		assert.Positive(t, served.Load())
		t.Logf("%d operations, %d jobs, %d errors, %d requests upstream", operations.Load(), served.Load(), refused.Load(), server.Requests())
	})
}

type measure struct {
	goroutines, files int
	heap              uint64
}

func (m measure) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %.1f MiB", m.goroutines, m.files, float64(m.heap)/(1<<20))
}

// within allows the heap 4 MiB: it is never the same twice.
func (m measure) within(before measure) bool {
	return m.goroutines <= before.goroutines && m.files <= before.files && m.heap < before.heap+4<<20
}

func measured() measure {
	runtime.GC()
	runtime.GC() // the second one empties the pools
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	files, _ := os.ReadDir("/proc/self/fd")
	return measure{runtime.NumGoroutine(), len(files), memory.HeapAlloc}
}
