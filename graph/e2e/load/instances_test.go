package load_test

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/load"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/fleet/redistest"
	"jobgraph/upstream/freeport"
	"jobgraph/upstream/listtest"
)

var rest = flag.Duration("rest", time.Minute, "how long TestFleet lets watched jobs rest, and then how long it measures them")

// What TestFleet asks: a rate of queries for jobs that are cached for so long, and event streams.
const (
	fleetRate    = 500
	fleetSeconds = 8
	fleetCache   = "5s"
	fleetStreams = 60
	fleetJobs    = 50 // of each stream
)

var fleetSample = load.Sample{Jobs: 5000, IDs: 10}

// TestFleet measures one, two and three instances with one Redis, and three without, behind
// haproxy, and prints tables. It takes ten minutes and runs only when it is asked for:
//
//	JOBGRAPH_BENCH=1 go test -count=1 -v -run 'TestFleet$' ./graph/e2e/load
//
// The flag -rest=20s after the package makes it shorter.
func TestFleet(t *testing.T) {
	if os.Getenv("JOBGRAPH_BENCH") == "" {
		t.Skip("set JOBGRAPH_BENCH=1 to run it")
	}
	program.NeedFile(t, "/proc/self/stat", "only Linux tells what a process used")
	type size struct {
		instances int
		redis     bool
	}
	sizes := []size{{1, true}, {2, true}, {3, true}, {3, false}}
	t.Logf("| %d queries a second of %d ids out of %d jobs; each 1,000 queries | calls | Redis commands | Redis KB | CPU s of the instances | of Redis | p50 | p99 | Redis hits | not answered in time or not asked |",
		fleetRate, fleetSample.IDs, fleetSample.Jobs)
	t.Log("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, size := range sizes {
		calls := &atomic.Int64{}
		f := newFleet(t, counting(load.API(0), calls), size.instances, size.redis, "--cache-active", fleetCache)
		right(t, fleetSample.Open(f.url, 100, fleetRate, fleetSeconds*time.Second)) // the caches fill
		calls.Store(0)
		hitsBefore, unansweredBefore := f.lookups()
		before := f.used()
		tally := fleetSample.Open(f.url, 100, fleetRate, fleetSeconds*time.Second)
		used := f.used().since(before)
		right(t, tally)
		hits, unanswered := f.lookups()
		thousands := float64(tally.Right) / 1000
		t.Logf("| %v | %.0f | %s | %.2f ms | %.2f ms | %.0f | %.0f |", f, float64(calls.Load())/thousands, used.each(thousands),
			ms(tally.AnsweredIn.Percentile(50)), ms(tally.AnsweredIn.Percentile(99)),
			float64(hits-hitsBefore)/thousands, float64(unanswered-unansweredBefore)/thousands)
		f.end()
	}
	t.Logf("| %d streams of %d jobs at rest; a second, each 1,000 streams | calls in all | Redis commands | Redis KB | CPU s of the instances | of Redis |",
		fleetStreams, fleetJobs)
	t.Log("| --- | --- | --- | --- | --- | --- |")
	for _, size := range sizes {
		api := &listtest.API{Pad: listPad}
		for n := range int64(fleetStreams * fleetJobs) {
			api.Set(listtest.Job{ID: load.MovingJob(n), Name: "1", NoPadInName: true, Status: []string{"Pending", "In Process"}[n%2], Created: time.Now()})
		}
		f := newFleet(t, api, size.instances, size.redis)
		live := load.Subscribe(f.url, fleetStreams, fleetJobs)
		time.Sleep(*rest) // the intervals grow
		assert.GreaterOrEqual(t, live.Events(), int64(fleetStreams*fleetJobs))
		api.Asked()
		before := f.used()
		time.Sleep(*rest)
		used := f.used().since(before)
		lists, infos, _ := api.Asked()
		t.Logf("| %v | %.2f, of %d calls %d lists | %s |", f, float64(len(lists)+len(infos))/rest.Seconds(), len(lists)+len(infos), len(lists),
			used.each(rest.Seconds()*fleetStreams/1000))
		assert.Empty(t, live.Wrong())
		live.Close()
		f.end()
	}
}

// TestFleetMoment is its short form, which looks at no clock: what any of three instances
// has fetched, no other one asks the job API for. Where other work has Redis answer too
// late it is left out, so it goes on with other jobs.
func TestFleetMoment(t *testing.T) {
	calls := &atomic.Int64{}
	f := newFleet(t, counting(load.API(0), calls), 3, true)
	set := load.Sample{Jobs: 10, IDs: 10}
	shared := int64(0)
	for end := time.Now().Add(program.Timeout); shared < 100; set.First += set.Jobs {
		require.True(t, time.Now().Before(end), "the other instances find what one has fetched: %d of 100", shared)
		f.redis.Do("FLUSHALL")
		calls.Store(0)
		right(t, set.Sweep(f.url))
		if !f.holds(set.Jobs) {
			continue
		}
		hitsBefore, before := f.lookups()
		for range 2 { // the turn is each other server's
			right(t, set.Sweep(f.url))
		}
		hits, unanswered := f.lookups()
		shared += hits - hitsBefore
		assert.LessOrEqual(t, calls.Load(), int64(set.Jobs)+unanswered-before, "as many calls as of one instance")
	}
}

// holds says whether Redis has so many jobs, soon: nobody waits for writes.
func (f *localFleet) holds(jobs int) bool {
	for range 50 {
		if strings.Count(strings.Join(f.redis.Keys(), " "), ":job:") >= jobs {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// right has no wrong answer, and no refusal.
func right(t *testing.T, tally load.Tally) {
	t.Helper()
	assert.NotZero(t, tally.Right)
	assert.Zero(t, tally.Wrong+tally.Refused, "of %d: %s", tally.Right, strings.Join(tally.Samples, "\n"))
}

func counting(handler http.Handler, calls *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		handler.ServeHTTP(w, r)
	})
}

// localFleet is built programs in front of a job API, behind haproxy.
type localFleet struct {
	t         *testing.T
	url       string
	instances []*program.Program
	redis     *redistest.Server // nil: they share nothing
	api       *httptest.Server
	proxy     *exec.Cmd
}

func newFleet(t *testing.T, api http.Handler, instances int, redis bool, args ...string) *localFleet {
	t.Helper()
	haproxy := program.NeedTool(t, "haproxy")
	f := &localFleet{t: t, api: httptest.NewServer(api)}
	t.Cleanup(f.api.Close)
	// haproxy's address is the only one of all clients.
	args = append([]string{"--upstream-url", f.api.URL, "--upstream-token", "aa", "--log-level", "error", "--max-connections-per-client", "0"}, args...)
	if redis {
		f.redis = redistest.Start(t)
		args = append(args, "--redis-url", f.redis.URL, "--fleet-secret", strings.Repeat("5ec7e7", 6))
	}
	servers := ""
	for n := range instances {
		p := program.Spawn(t, args...)
		f.instances = append(f.instances, p)
		servers += fmt.Sprintf("  server jobgraph-%d %s\n", n+1, strings.TrimPrefix(p.URL, "http://"))
	}
	if redis {
		require.Eventually(t, func() bool { return f.metric("jobgraph_fleet_available") == float64(instances) }, program.Timeout, 10*time.Millisecond)
	}
	f.balance(haproxy, servers)
	return f
}

// balance starts haproxy: each request goes to the next server.
func (f *localFleet) balance(haproxy, servers string) {
	f.t.Helper()
	address := "127.0.0.1:" + freeport.Get(f.t)
	file := filepath.Join(f.t.TempDir(), "haproxy.cfg")
	settings := "defaults\n  mode http\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\nfrontend graphql\n  bind " + address +
		"\n  default_backend jobgraph\nbackend jobgraph\n  balance roundrobin\n" + servers
	require.NoError(f.t, os.WriteFile(file, []byte(settings), 0o600))
	f.proxy = exec.Command(haproxy, "-db", "-f", file)
	require.NoError(f.t, f.proxy.Start())
	f.t.Cleanup(f.stopProxy)
	f.url = "http://" + address + "/graphql"
	require.Eventually(f.t, func() bool {
		answer, err := gqltest.Send(gqltest.Request(f.t, http.MethodGet, "http://"+address+"/readyz", ""))
		return err == nil && answer.Status == http.StatusOK
	}, program.Timeout, 10*time.Millisecond)
}

func (f *localFleet) stopProxy() {
	if f.proxy != nil {
		_ = f.proxy.Process.Signal(syscall.SIGTERM)
		_ = f.proxy.Wait()
		f.proxy = nil
	}
}

// end stops all of it before the test ends, so that the next fleet has the machine.
func (f *localFleet) end() {
	f.stopProxy()
	for _, p := range f.instances {
		assert.NoError(f.t, p.Stop())
	}
	if f.redis != nil {
		f.redis.Kill()
	}
	f.api.Close()
}

func (f *localFleet) String() string {
	text := fmt.Sprintf("%d instances", len(f.instances))
	if len(f.instances) == 1 {
		text = "1 instance"
	}
	if f.redis == nil {
		text += " without Redis"
	}
	return text
}

// metric is the sum of one over the instances.
func (f *localFleet) metric(name string) (sum float64) {
	f.t.Helper()
	for _, p := range f.instances {
		answer, err := gqltest.Send(gqltest.Request(f.t, http.MethodGet, p.AdminURL+"/metrics", ""))
		require.NoError(f.t, err)
		for line := range strings.Lines(answer.Body) {
			if text, ok := strings.CutPrefix(line, name+" "); ok {
				number, _ := strconv.ParseFloat(strings.TrimSpace(text), 64)
				sum += number
			}
		}
	}
	return sum
}

// lookups is what Redis had, and how often it did not answer in time, which a busy machine makes it.
func (f *localFleet) lookups() (hits, unanswered int64) {
	of := func(outcome string) int64 {
		return int64(f.metric(`jobgraph_fleet_lookups_total{outcome="` + outcome + `"}`))
	}
	return of("HIT") + of("JOINED"), of("TIMEOUT") + of("ERROR") + of("SKIPPED")
}

// fleetUsage is what the instances and Redis have used so far.
type fleetUsage struct {
	instances, redis time.Duration // of CPU
	commands, bytes  int64
}

func (f *localFleet) used() (u fleetUsage) {
	f.t.Helper()
	for _, p := range f.instances {
		u.instances += use(f.t, p.PID()).cpu
	}
	if f.redis == nil {
		return u
	}
	info, err := f.redis.Do("INFO").ToString()
	require.NoError(f.t, err)
	for line := range strings.Lines(info) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), ":")
		number, _ := strconv.ParseFloat(text, 64)
		switch name {
		case "used_cpu_user", "used_cpu_sys":
			u.redis += time.Duration(number * float64(time.Second))
		case "total_commands_processed":
			u.commands = int64(number)
		case "total_net_input_bytes", "total_net_output_bytes":
			u.bytes += int64(number)
		}
	}
	return u
}

func (u fleetUsage) since(before fleetUsage) fleetUsage {
	return fleetUsage{u.instances - before.instances, u.redis - before.redis, u.commands - before.commands, u.bytes - before.bytes}
}

// each is for one of so many, in columns.
func (u fleetUsage) each(of float64) string {
	return fmt.Sprintf("%.0f | %.0f | %.3f | %.3f", float64(u.commands)/of, float64(u.bytes)/1e3/of, u.instances.Seconds()/of, u.redis.Seconds()/of)
}
