package fleet_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/fleet"
	"jobgraph/upstream/fleet/redistest"
	"jobgraph/upstream/poll"
	"jobgraph/upstream/replay"
)

func byToken(token string) ([]string, bool) { return []string{token}, true }

// jobs is a job API in memory. A job's name is its token and its version.
type jobs struct {
	mu       sync.Mutex
	versions map[string]int // by token and id
	settled  map[string]bool
	calls    int
}

func (j *jobs) change(token, id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.versions[token+" "+id]++
}

func (j *jobs) settle(token, id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.versions[token+" "+id]++
	j.settled[token+" "+id] = true
}

func (j *jobs) version(token, id string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.versions[token+" "+id]
}

func (j *jobs) count() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.calls
}

func newJobs() *jobs { return &jobs{versions: map[string]int{}, settled: map[string]bool{}} }

// instance is a poller with its own way to the job API and to Redis, which a test can stop.
type instance struct {
	t      *testing.T
	jobs   *jobs
	fleet  *fleet.Fleet
	poller *poll.Poller
	proxy  net.Listener

	mu      sync.Mutex
	blocked chan struct{} // closed when the instance goes on; nil: it does
	asked   int
}

func newInstance(t *testing.T, server *redistest.Server, api *jobs, opts poll.Options) *instance {
	t.Helper()
	i := &instance{t: t, jobs: api}
	i.listen(server.Address)
	f, err := fleet.New(fleet.Options{URL: strings.Replace(server.URL, server.Address, i.proxy.Addr().String(), 1), Secret: []byte(secret), MaxWait: time.Second})
	require.NoError(t, err)
	i.fleet = f
	opts.Fleet = fleet.NewWatching(f, byToken)
	i.poller = poll.New(i, opts)
	t.Cleanup(func() {
		i.thaw()
		f.Close()
		_ = i.proxy.Close()
	})
	available(t, f)
	return i
}

// listen forwards connections to Redis while the instance is not frozen.
func (i *instance) listen(address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(i.t, err)
	i.proxy = listener
	forward := func(to, from net.Conn) {
		defer to.Close()
		defer from.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := from.Read(buffer)
			i.pass(context.Background())
			if n > 0 {
				if _, err := to.Write(buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", address)
			if err != nil {
				_ = client.Close()
				continue
			}
			go forward(server, client)
			go forward(client, server)
		}
	}()
}

// pass waits until the instance is not frozen.
func (i *instance) pass(ctx context.Context) {
	i.mu.Lock()
	blocked := i.blocked
	i.mu.Unlock()
	if blocked != nil {
		select {
		case <-blocked:
		case <-ctx.Done():
		}
	}
}

func (i *instance) freeze() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.blocked == nil {
		i.blocked = make(chan struct{})
	}
}

func (i *instance) thaw() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.blocked != nil {
		close(i.blocked)
		i.blocked = nil
	}
}

// Job reads the job, and gives what it read after a while, or when the instance goes on.
func (i *instance) Job(ctx context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	i.pass(ctx)
	i.mu.Lock()
	i.asked++
	i.mu.Unlock()
	i.jobs.mu.Lock()
	i.jobs.calls++
	key := r.Token + " " + r.Key.ID
	name := r.Token + " " + strconv.Itoa(i.jobs.versions[key])
	job := upstream.Job{ID: r.Key.ID, Name: &name, Status: upstream.StatusInProcess}
	if i.jobs.settled[key] {
		job.Status = upstream.StatusMediaFailure
	}
	i.jobs.mu.Unlock()
	time.Sleep(rand.N(3 * time.Millisecond))
	i.pass(ctx)
	return job.Encode(), ctx.Err()
}

func (i *instance) calls() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// watcher notes what a subscriber of one job hears, and fails the test where it must not.
type watcher struct {
	token, id string
	mu        sync.Mutex
	version   int
	ended     bool
	cancel    context.CancelFunc
	done      chan struct{}
}

func watch(t *testing.T, i *instance, token, id string) *watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	states, err := i.poller.Watch(ctx, token, []string{id})
	require.NoError(t, err)
	w := &watcher{token: token, id: id, version: -1, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for state := range states {
			job, ok := state.(*upstream.EncodedJob)
			if !assert.True(t, ok, "no failure of Redis is one of a job: %v", state) {
				continue
			}
			of, number, _ := strings.Cut(*job.Name(), " ")
			version, _ := strconv.Atoi(number)
			assert.Equal(t, token, of, "another token's job")
			assert.Equal(t, id, job.ID())
			w.mu.Lock()
			assert.Greater(t, version, w.version, "a state went back, or came twice")
			w.version = version
			w.mu.Unlock()
		}
		w.mu.Lock()
		w.ended = true
		w.mu.Unlock()
	}()
	t.Cleanup(w.stop)
	return w
}

func (w *watcher) stop() {
	w.cancel()
	<-w.done
}

func (w *watcher) heard() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.version
}

func (w *watcher) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

// hears waits until the subscriber has heard the version.
func (w *watcher) hears(t *testing.T, version int) {
	t.Helper()
	require.Eventually(t, func() bool { return w.heard() >= version }, eventually, time.Millisecond, "version %d of %s, heard %d", version, w.id, w.heard())
}

const token = "aa11bb22cc33dd44"

const often = 100 * time.Millisecond

func TestWatching_OneInstancePollsAndAllHear(t *testing.T) {
	t.Parallel()
	server, api := redistest.Start(t), newJobs()
	var all []*instance
	var watchers []*watcher
	for range 3 {
		all = append(all, newInstance(t, server, api, poll.Options{Interval: often, MaxInterval: often}))
	}
	for _, i := range all {
		watchers = append(watchers, watch(t, i, token, "01"))
		watchers[len(watchers)-1].hears(t, 0)
	}
	oneAsks(t, api, all, watchers...)
	// One job that only a follower watches is the holder's too.
	late := watch(t, all[2], token, "02")
	late.hears(t, 0)
	oneAsks(t, api, all, late)
	oneAsks(t, api, all, append(watchers, late)...)
	api.settle(token, "01")
	for _, w := range watchers {
		require.Eventually(t, w.over, eventually, time.Millisecond)
		assert.Equal(t, api.version(token, "01"), w.heard())
	}
	late.stop()
	for _, i := range all {
		require.Eventually(t, func() bool { return i.poller.FleetStats().Leases == 0 }, eventually, time.Millisecond)
	}
	assert.NotContains(t, server.Dump(), token)
}

// oneAsks has the watchers' jobs change until they heard of five changes by one instance's calls alone. It may
// take several times: a follower that hears nothing for two turns asks, which happens where this machine is slow.
func oneAsks(t *testing.T, api *jobs, all []*instance, watchers ...*watcher) {
	t.Helper()
	for began := time.Now(); ; {
		before := make([]int, len(all))
		for n, i := range all {
			before[n] = i.calls()
		}
		for range 5 {
			changed := map[string]bool{}
			for _, w := range watchers {
				if !changed[w.id] {
					changed[w.id] = true
					api.change(w.token, w.id)
				}
			}
			for _, w := range watchers {
				w.hears(t, api.version(w.token, w.id))
			}
		}
		asking, leases := 0, 0
		for n, i := range all {
			if i.calls() > before[n] {
				asking++
			}
			leases += i.poller.FleetStats().Leases
		}
		if asking == 1 && leases == 1 {
			return
		}
		require.Less(t, time.Since(began), eventually, "%d instances ask, %d have the lease", asking, leases)
	}
}

func TestWatching_TheLeaseOfADeadInstanceIsTakenOver(t *testing.T) {
	t.Parallel()
	server, api := redistest.Start(t), newJobs()
	one := newInstance(t, server, api, poll.Options{Interval: often, MaxInterval: often})
	first := watch(t, one, token, "01")
	first.hears(t, 0)
	other := newInstance(t, server, api, poll.Options{Interval: often, MaxInterval: often})
	second := watch(t, other, token, "01")
	second.hears(t, 0)
	require.LessOrEqual(t, other.calls(), 1, "for its first state at most")
	one.freeze()
	api.change(token, "01")
	second.hears(t, 1)
	assert.Positive(t, other.poller.FleetStats().Takeovers)
	// It wakes with what it read before, and tells nobody: the watchers see to it.
	for version := 2; version < 5; version++ {
		api.change(token, "01")
		second.hears(t, version)
	}
	one.thaw()
	first.hears(t, 4)
	require.Eventually(t, func() bool { return one.poller.FleetStats().Leases == 0 }, eventually, time.Millisecond)
}

func TestWatching_ACallbackWakesWhoeverPolls(t *testing.T) {
	t.Parallel()
	server, api := redistest.Start(t), newJobs()
	one := newInstance(t, server, api, poll.Options{Interval: time.Hour, MaxInterval: time.Hour})
	first := watch(t, one, token, "01")
	first.hears(t, 0)
	other := newInstance(t, server, api, poll.Options{Interval: time.Hour, MaxInterval: time.Hour})
	second := watch(t, other, token, "01")
	second.hears(t, 0)
	api.change(token, "01")
	require.Eventually(t, func() bool { // the subscription to callbacks may take a moment
		other.poller.Wake("01")
		return first.heard() == 1
	}, eventually, 50*time.Millisecond)
	second.hears(t, 1)
	assert.LessOrEqual(t, other.calls(), 1, "for its first state at most")
	assert.Positive(t, one.poller.FleetStats().Wakes)
	before, began := one.poller.FleetStats().Wakes, time.Now()
	for range 10_000 {
		other.poller.Wake("01")
	}
	most := 200 + 100*time.Since(began).Seconds()
	assert.LessOrEqual(t, one.poller.FleetStats().Wakes-before, int64(most), "a flood is bounded where it comes in")
}

func TestWatching_WithoutRedisEachPollsForItself(t *testing.T) {
	t.Parallel()
	server, api := redistest.Start(t), newJobs()
	var watchers []*watcher
	var all []*instance
	for range 2 {
		i := newInstance(t, server, api, poll.Options{Interval: often, MaxInterval: often})
		w := watch(t, i, token, "01")
		w.hears(t, 0)
		all, watchers = append(all, i), append(watchers, w)
	}
	version := 0
	change := func() {
		version++
		api.change(token, "01")
		for _, w := range watchers {
			w.hears(t, version)
		}
	}
	for name, fault := range map[string][2]func(){
		"killed":  {server.Kill, server.Restart},
		"frozen":  {server.Freeze, server.Thaw},
		"flushed": {func() { require.NoError(t, server.Do("FLUSHALL").Error()) }, func() {}},
		"garbage": {func() {
			client := server.Client()
			for n, key := range server.Keys() {
				kind := [][]string{{"RPUSH", key, "x"}, {"SET", key, "x"}, {"HSET", key, "h", "x", "f", "x", "s", "x"}}[n%3]
				// At once: the instances put values under the same keys meanwhile.
				for _, answer := range client.DoMulti(t.Context(), client.B().Multi().Build(), client.B().Del().Key(key).Build(),
					client.B().Arbitrary(kind...).Build(), client.B().Exec().Build()) {
					require.NoError(t, answer.Error())
				}
			}
		}, func() {}},
	} {
		fault[0]()
		change()
		change()
		fault[1]()
		change()
		leases := func() int { return all[0].poller.FleetStats().Leases + all[1].poller.FleetStats().Leases }
		require.Eventually(t, func() bool { return all[0].fleet.Available() && all[1].fleet.Available() && leases() == 1 }, eventually, time.Millisecond, name)
		// Again one of them asks, and the other one hears.
		follower := all[0]
		if follower.poller.FleetStats().Leases == 1 {
			follower = all[1]
		}
		require.Eventually(t, func() bool {
			before, received := follower.calls(), follower.poller.FleetStats().Received
			change()
			return follower.calls() == before && follower.poller.FleetStats().Received > received
		}, eventually, time.Millisecond, name)
	}
}

// Subscribers come and go, jobs change, instances are frozen, killed and born, and Redis is
// flushed, all at random. The watchers see that no state goes back and none is another token's; at the end
// all is told, by as many calls as one instance makes.
func TestWatching_Properties(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(replay.Seed(t), 1))
	server, api := redistest.Start(t), newJobs()
	opts := poll.Options{Interval: often, MaxInterval: 2 * often}
	all := []*instance{newInstance(t, server, api, opts), newInstance(t, server, api, opts), newInstance(t, server, api, opts)}
	watchers := map[*watcher]int{}
	tokens := []string{"aa11", "bb22"}
	job := func() (token, id string) { return tokens[random.IntN(2)], fmt.Sprintf("%02x", random.IntN(6)) }
	for range 150 {
		time.Sleep(time.Duration(random.IntN(40)) * time.Millisecond)
		n := random.IntN(len(all))
		switch random.IntN(20) {
		case 0:
			all[n].freeze()
		case 1, 2, 3:
			all[n].thaw()
		case 4:
			for w, of := range watchers {
				if of == n {
					w.stop()
					delete(watchers, w)
				}
			}
			if random.IntN(2) == 0 {
				all[n].fleet.Close() // before its subscribers leave, nobody is told
			}
			all[n].thaw()
			all[n] = newInstance(t, server, api, opts)
		case 5:
			if random.IntN(4) == 0 {
				require.NoError(t, server.Do("FLUSHALL").Error())
			}
		case 6, 7, 8, 9:
			token, id := job()
			watchers[watch(t, all[n], token, id)] = n
		case 10, 11:
			for w := range watchers {
				w.stop()
				delete(watchers, w)
				break
			}
		default:
			api.change(job())
		}
	}
	for n := range all {
		all[n].thaw()
		for _, token := range tokens {
			watchers[watch(t, all[n], token, "00")] = n
		}
	}
	api.change(tokens[0], "00")
	for w := range watchers {
		w.hears(t, api.version(w.token, w.id))
	}
	// At rest one instance asks for each token.
	require.Eventually(t, func() bool {
		before := []int{all[0].calls(), all[1].calls(), all[2].calls()}
		time.Sleep(5 * often)
		asking := 0
		for n, i := range all {
			if i.calls() > before[n] {
				asking++
			}
		}
		leases := 0
		for _, i := range all {
			leases += i.poller.FleetStats().Leases
		}
		return leases == len(tokens) && asking <= len(tokens)
	}, eventually, time.Millisecond)
	watched := map[string]bool{}
	for w := range watchers {
		watched[w.token+" "+w.id] = true
	}
	alone := &instance{t: t, jobs: newJobs()}
	alone.poller = poll.New(alone, opts)
	for key := range watched {
		token, id, _ := strings.Cut(key, " ")
		watch(t, alone, token, id)
	}
	// Where this machine is slow a follower asks, too.
	require.Eventually(t, func() bool {
		before, beforeAlone := api.count(), alone.calls()
		time.Sleep(20 * often)
		calls, callsAlone := api.count()-before, alone.calls()-beforeAlone
		t.Logf("%d jobs: %d calls of three instances, %d of one", len(watched), calls, callsAlone)
		return calls < callsAlone+callsAlone/2
	}, eventually, time.Millisecond, "calls of three instances are as many as of one")
}

func TestWatching_ALostLeaseStoresNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	f := open(t, fleet.Options{URL: server.URL})
	available(t, f)
	w := fleet.NewWatching(f, byToken)
	ignore := func(poll.Message) {}
	one, other := w.Join(token, ignore), w.Join(token, ignore)
	state := func(name string) poll.SharedState {
		return poll.SharedState{ID: "01", State: upstream.Job{ID: "01", Name: &name}.Encode()}
	}
	first, err := one.Claim(t.Context(), 0, time.Minute)
	require.NoError(t, err)
	assert.True(t, first.Held)
	_, held, err := one.Store(t.Context(), first.Fence, state("before"))
	require.NoError(t, err)
	assert.True(t, held)
	_, err = one.Claim(t.Context(), first.Fence, 50*time.Millisecond) // it ends soon
	require.NoError(t, err)
	var second poll.Claim
	require.Eventually(t, func() bool {
		second, err = other.Claim(t.Context(), 0, time.Minute)
		return err == nil && second.Held
	}, eventually, time.Millisecond)
	assert.Greater(t, second.Fence, first.Fence)
	at, held, err := other.Store(t.Context(), second.Fence, state("after"))
	require.NoError(t, err)
	assert.True(t, held)
	_, held, err = one.Store(t.Context(), first.Fence, state("before"))
	require.NoError(t, err)
	assert.False(t, held, "it is fenced off")
	_, held, _ = other.Store(t.Context(), first.Fence, state("before"))
	assert.False(t, held, "a look from before its own lease is, too")
	states, err := other.Load(t.Context(), []string{"01", "02"})
	require.NoError(t, err)
	require.Len(t, states, 1)
	assert.Equal(t, at, states[0].At)
	assert.Equal(t, "after", *states[0].State.(*upstream.EncodedJob).Name())
	// The numbers are lost: they go on above what anybody knows.
	require.NoError(t, server.Do("FLUSHALL").Error())
	third, err := one.Claim(t.Context(), second.Fence+5, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, second.Fence+6, third.Fence)
	// Who knows of a higher one than the holder's has the lease.
	fourth, err := other.Claim(t.Context(), third.Fence+1, time.Minute)
	require.NoError(t, err)
	assert.True(t, fourth.Held)
	assert.Greater(t, fourth.Fence, third.Fence+1)
}
