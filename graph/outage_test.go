package graph_test

import (
	"flag"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/faults"
)

// To watch one: go test ./graph -run TestOutage -outage 60s -v
var outage = flag.Duration("outage", 4*time.Second, "how long TestOutage's job API is away, dead first and then hanging")

// attempts counts the requests that a client makes.
type attempts struct{ atomic.Int64 }

func (a *attempts) CallStarted()                   { a.Add(1) }
func (a *attempts) CallDone(string, time.Duration) {}
func (a *attempts) Retried()                       { a.Add(1) }
func (a *attempts) Refused(string)                 { a.Add(-1) }
func (a *attempts) Coalesced()                     {}
func (a *attempts) BreakerChanged(bool)            {}
func (a *attempts) TokenBreakersOpen(int)          {}
func (a *attempts) UnrecognizedValue(string)       {}
func (a *attempts) MalformedJobs(int)              {}

// answer is one operation's, as its caller saw it.
type answer struct {
	asked, took time.Duration // asked is since the outage began
	served      bool
	err         error
}

// answers are gathered from many callers.
type answers struct {
	mu  sync.Mutex
	all []answer
}

func (a *answers) add(one answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, one)
}

// since gives those asked from then on.
func (a *answers) since(from time.Duration) []answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(a.all), func(one answer) bool { return one.asked < from })
}

func median(all []answer) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.SortFunc(all, func(a, b answer) int { return int(a.took - b.took) })
	return all[len(all)/2].took
}

// TestOutage takes the job API away under steady load and gives it back.
func TestOutage(t *testing.T) {
	nothing := func(string) *faults.Fault { return nil }
	hang := func(string) *faults.Fault { return faults.Hang() }
	server, err := faults.NewServer(nothing)
	require.NoError(t, err)
	defer func() { server.Close() }()
	again := func(fault func(string) *faults.Fault) {
		server.Close()
		server, err = faults.NewServerAt(server.Addr(), fault)
		require.NoError(t, err)
	}
	made := &attempts{}
	endpoint := newEndpoint(t, newClient(t, server.URL(), upstream.Options{Timeout: 4 * time.Second, Observer: made}))
	allServed(t, endpoint.jobs(t, fiveGood...))
	made.Store(0)

	server.Close()
	start := time.Now()
	seen := &answers{}
	stop := load(t, endpoint, seen, start)
	report(t, seen, made, start, *outage/2, "dead")
	again(hang)
	report(t, seen, made, start, *outage, "hanging")
	asked, tried := len(seen.since(0)), made.Load()
	again(nothing)
	back := time.Now()
	assert.Eventually(t, func() bool { return whole(seen, time.Since(start)-200*time.Millisecond) }, 5*time.Second, 5*time.Millisecond,
		"service is not whole 5 s after the job API's return")
	t.Logf("service was whole %v after the job API's return", time.Since(back).Round(time.Millisecond))
	stop()

	for _, one := range seen.since(0) {
		require.NoError(t, one.err, "an operation was not answered")
	}
	during := slices.DeleteFunc(seen.since(time.Second), func(one answer) bool { return one.asked > *outage })
	t.Logf("outage: %d calls asked, %d attempts, median answer after the first second %v", asked, tried, median(during))
	assert.Less(t, median(during), 100*time.Millisecond, "median after the first second")
	assert.LessOrEqual(t, float64(tried), 1.2*float64(asked), "attempts")
}

// load asks for one job 50 times a second until stop, which waits for the answers.
func load(t *testing.T, endpoint *endpoint, seen *answers, start time.Time) (stop func()) {
	end := make(chan struct{})
	var callers sync.WaitGroup
	callers.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-end:
				return
			case <-ticker.C:
			}
			id := fiveGood[i%5]
			callers.Go(func() {
				asked := time.Since(start)
				results, err := endpoint.ask(id)
				served := err == nil && len(results) == 1 && results[0].Typename == "Job"
				seen.add(answer{asked, time.Since(start) - asked, served, err})
			})
		}
	})
	return func() {
		close(end)
		callers.Wait()
	}
}

// report prints a line a second until the given time.
func report(t *testing.T, seen *answers, made *attempts, start time.Time, until time.Duration, state string) {
	for time.Since(start) < until {
		from := time.Since(start)
		time.Sleep(min(time.Second, until-from))
		t.Logf("%5.1f s  %-8s answers %4d  median %-10v attempts so far %d", time.Since(start).Seconds(), state,
			len(seen.since(from)), median(seen.since(from)).Round(time.Microsecond), made.Load())
	}
}

// whole says whether the last answers all were jobs.
func whole(seen *answers, from time.Duration) bool {
	last := seen.since(from)
	return len(last) >= 5 && !slices.ContainsFunc(last, func(one answer) bool { return !one.served })
}
