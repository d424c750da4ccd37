package load_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/load"
	"jobgraph/graph/e2e/program"
)

var soak = flag.Duration("soak", time.Minute, "how long TestBusyHour asks at 70 % of the capacity")

const (
	// connections bound what is asked at once; closedConnections measure the capacity.
	connections       = 1000
	closedConnections = 64
	// The capacity is measured for gauge before each turn of load: a virtual machine's own
	// speed changes by a third within a minute.
	gauge = 2 * time.Second
	round = 8 * time.Second
	// rushes of twice the capacity come one after the other; calm is what is measured after each,
	// when pause and gauge are over.
	rushes = 3
	pause  = 3 * time.Second
	calm   = 5 * time.Second
)

// TestBusyHour has the built program answer a mix of questions at 70 % of its capacity,
// then at twice of it, and looks at what is left. It takes two and a half minutes,
// needs the machine for itself, and runs only when it is asked for:
//
//	JOBGRAPH_BENCH=1 go test -count=1 -v -run TestBusyHour ./graph/e2e/load
//
// The flag -soak=10m after the package makes it longer.
func TestBusyHour(t *testing.T) {
	if os.Getenv("JOBGRAPH_BENCH") == "" {
		t.Skip("set JOBGRAPH_BENCH=1 to run it")
	}
	h := newBusyHour(t)
	h.closed(10 * time.Second) // the caches fill
	fromRest := h.rest()

	steady := &phase{share: 0.7}
	for steady.Took < *soak {
		h.load(steady, h.gauge(steady), round)
	}
	h.row("70 % of the most", steady)
	h.right(steady.Tally)
	assert.Zero(t, steady.Refused, "refused at 70 %")
	assert.Less(t, load.Ratio(steady.AnsweredIn.Percentile(99), steady.AnsweredIn.Percentile(50)), 15.0, "p99/p50 at 70 %")
	assert.Zero(t, h.live.Errors(), "errors told to subscribers at 70 %, of jobs that never fail")
	h.restIs(fromRest, "after 70 %")

	over, after := &phase{share: 2}, &phase{share: 0.7}
	for range rushes {
		h.load(over, h.gauge(over), round)
		time.Sleep(pause)
		h.load(after, h.gauge(after), calm)
	}
	h.row("twice the most", over)
	h.right(over.Tally)
	assert.GreaterOrEqual(t, over.PerSecond(), 0.8*over.most(), "right answers a second at twice the capacity")
	assert.Less(t, over.RefusedIn.Percentile(99), 50*time.Millisecond, "p99 of the refusals")
	assert.Less(t, over.AnsweredIn.Percentile(99), time.Second, "p99 of what is admitted")

	h.row("70 %, five seconds later", after)
	h.right(after.Tally)
	assert.Zero(t, after.Refused, "refused five seconds after the rush")
	assert.Less(t, load.Ratio(after.AnsweredIn.Percentile(99), steady.AnsweredIn.Percentile(50)), 15.0, "p99 after the rush / p50 before it")
	h.restIs(fromRest, "after the rush")
}

// phase is what became of all turns of load at one share of the capacity.
type phase struct {
	load.Tally
	share    float64
	asked    float64
	capacity []float64 // a second, of each turn
}

// most is the mean capacity of its turns.
func (l *phase) most() float64 { return l.asked / l.share / l.Took.Seconds() }

// gauge measures the capacity of now, in right answers a second.
func (h *busyHour) gauge(l *phase) float64 {
	tally := h.closed(gauge)
	h.right(tally)
	assert.Zero(h.t, tally.Refused, "refused at %d connections", closedConnections)
	l.capacity = append(l.capacity, tally.PerSecond())
	return tally.PerSecond()
}

// load asks for so long at the share of the capacity.
func (h *busyHour) load(l *phase, most float64, long time.Duration) {
	tally := h.open(l.share*most, long)
	l.asked += l.share * most * tally.Took.Seconds()
	l.Add(&tally)
}

// TestBusyMoment is its short form, which looks at no clock: so few places that most is
// refused, and nothing is answered wrong.
func TestBusyMoment(t *testing.T) {
	h := newBusyHour(t, "--max-inflight=16")
	calm := load.Closed(h.url, 8, time.Second)
	h.tell("8 at a time", 0, calm)
	h.right(calm)
	assert.NotZero(t, calm.Right)
	assert.Zero(t, h.live.Errors(), "errors told to subscribers")
	assert.Zero(t, calm.Refused, "eight at once have their places")
	soon, cancel := context.WithTimeout(t.Context(), program.Timeout)
	defer cancel()
	h.live.Wait(soon, 100)
	assert.GreaterOrEqual(t, h.live.Events(), int64(100), "the state of each watched job")
	fromRest := h.rest()
	rush := load.Closed(h.url, 600, time.Second)
	h.tell("a rush", 0, rush)
	h.right(rush)
	assert.NotZero(t, rush.Refused)
	h.restIs(fromRest, "after the rush")
	calm = load.Closed(h.url, 8, time.Second/2)
	h.right(calm)
	assert.Zero(t, calm.Refused, "after the rush")
}

// busyHour is a program over a slow and failing job API, each in its own process, with
// subscribers; this process asks.
type busyHour struct {
	t    *testing.T
	url  string
	p    *program.Program
	live *load.Live
}

func newBusyHour(t *testing.T, args ...string) *busyHour {
	api, _ := startChild(t, childAPI, "4ms")
	own := []string{"--upstream-url", api, "--upstream-token", "aa", "--log-level", "error"}
	p := program.Spawn(t, append(own, args...)...)
	h := &busyHour{t: t, url: p.URL + "/graphql", p: p}
	h.live = load.Subscribe(h.url, 20, 5)
	t.Cleanup(func() {
		h.live.Close()
		assert.Empty(t, h.live.Wrong(), "of the subscriptions")
	})
	t.Log("| load | asked a second | right a second | wrong | refused | p50 | p99 | p99/p50 | refused in (p99) |")
	t.Log("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	return h
}

func (h *busyHour) closed(long time.Duration) load.Tally {
	return load.Closed(h.url, closedConnections, long)
}

func (h *busyHour) open(perSecond float64, long time.Duration) load.Tally {
	return load.Open(h.url, connections, perSecond, long)
}

// right has no wrong answer and no refusal that does not say when to come back.
func (h *busyHour) right(tally load.Tally) {
	h.t.Helper()
	assert.Zero(h.t, tally.Wrong, "wrong answers of %d: %s", tally.Right+tally.Wrong, strings.Join(tally.Samples, "\n"))
	assert.Zero(h.t, tally.Bare, "refusals without Retry-After")
}

// row has the lowest and the highest capacity beside it.
func (h *busyHour) row(name string, l *phase) {
	name = fmt.Sprintf("%s, of %.0f", name, l.most())
	if len(l.capacity) > 0 {
		name += fmt.Sprintf(" (%.0f to %.0f)", slices.Min(l.capacity), slices.Max(l.capacity))
	}
	h.tell(name, l.share*l.most(), l.Tally)
}

func (h *busyHour) tell(name string, perSecond float64, tally load.Tally) {
	p50, p99 := tally.AnsweredIn.Percentile(50), tally.AnsweredIn.Percentile(99)
	h.t.Logf("| %s | %.0f | %.0f | %d | %d of %d | %.1f ms | %.1f ms | %.1f | %.1f ms |", name, perSecond, tally.PerSecond(),
		tally.Wrong, tally.Refused, tally.Right+tally.Wrong+tally.Refused, ms(p50), ms(p99), load.Ratio(p99, p50), ms(tally.RefusedIn.Percentile(99)))
}

// held is what the program holds at rest, garbage aside.
type held struct{ goroutines, heap, resident int }

func (h held) String() string {
	return fmt.Sprintf("%d goroutines, a heap of %d MiB, %d MiB resident", h.goroutines, h.heap>>20, h.resident>>20)
}

// within allows for connections to the job API that are kept for the next call, and for
// memory that is given back later.
func (h held) within(before held) bool {
	return h.goroutines <= before.goroutines+64 && h.heap <= before.heap+16<<20 && h.resident <= before.resident+48<<20
}

func (h *busyHour) rest() held {
	h.t.Helper()
	h.get("/debug/pprof/heap?gc=1", func(string) {})
	var now held
	h.get("/metrics", func(line string) {
		name, value, _ := strings.Cut(line, " ")
		number, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "go_goroutines":
			now.goroutines = int(number)
		case "go_memstats_heap_alloc_bytes":
			now.heap = int(number)
		case "process_resident_memory_bytes":
			now.resident = int(number)
		}
	})
	require.NotZero(h.t, now.goroutines)
	return now
}

// restIs waits until the program holds no more than it held before.
func (h *busyHour) restIs(before held, when string) {
	h.t.Helper()
	var now held
	for end := time.Now().Add(program.Timeout); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if now = h.rest(); now.within(before) {
			break
		}
	}
	h.t.Logf("at rest %s: %v; before: %v; %d events so far, %d errors among them", when, now, before, h.live.Events(), h.live.Errors())
	assert.True(h.t, now.within(before), "%s: %v, before %v", when, now, before)
}

func (h *busyHour) get(path string, line func(string)) {
	h.t.Helper()
	response, err := http.Get(h.p.AdminURL + path)
	require.NoError(h.t, err)
	defer response.Body.Close()
	require.Equal(h.t, http.StatusOK, response.StatusCode)
	lines := bufio.NewReader(response.Body)
	for {
		text, err := lines.ReadString('\n')
		line(strings.TrimSpace(text))
		if err == io.EOF {
			return
		}
		require.NoError(h.t, err)
	}
}
