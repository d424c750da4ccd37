package poll_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/poll"
	"jobgraph/upstream/replay"
)

// account is a job API in memory whose jobs have versions, told by their names. Its answers
// take a while, and its lists may lag.
type account struct {
	random *rand.Rand
	slow   bool
	lag    time.Duration
	hidden func(id string) bool // from lists

	mu           sync.Mutex
	jobs         map[string][]version // the newest last
	infos, lists int
	failLists    bool
	others       int // jobs that nobody watches, in each list
	// takes is how long a list is under way after it was made.
	takes time.Duration
}

type version struct {
	at     time.Time
	number int
	status upstream.JobStatus
}

func (v version) job(id string) *upstream.EncodedJob {
	name := strconv.Itoa(v.number)
	job := upstream.Job{ID: id, Name: &name, Status: v.status}
	if v.status == upstream.StatusComplete {
		job.ReturnDate = &v.at
	}
	return job.Encode()
}

func (a *account) set(id string, status upstream.JobStatus) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.jobs == nil {
		a.jobs = map[string][]version{}
	}
	a.jobs[id] = append(a.jobs[id], version{time.Now(), len(a.jobs[id]), status})
}

// wait is before or after the answer is made.
func (a *account) wait(ctx context.Context) error {
	if !a.slow {
		return nil
	}
	a.mu.Lock()
	took := time.Duration(a.random.IntN(400)) * time.Millisecond
	a.mu.Unlock()
	select {
	case <-time.After(took):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *account) Job(ctx context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	if err := a.wait(ctx); err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.infos++
	versions := a.jobs[r.Key.ID]
	job := versions[len(versions)-1].job(r.Key.ID)
	a.mu.Unlock()
	return job, a.wait(ctx)
}

func (a *account) List(ctx context.Context, r upstream.ListRequest) (*upstream.List, error) {
	if err := a.wait(ctx); err != nil {
		return nil, err
	}
	list := &upstream.List{}
	a.mu.Lock()
	a.lists++
	if a.failLists {
		a.mu.Unlock()
		return nil, &upstream.Error{Type: upstream.Unavailable}
	}
	at := time.Now().Add(-a.lag)
	for id, versions := range a.jobs {
		var v *version
		for n := range versions {
			if !versions[n].at.After(at) {
				v = &versions[n]
			}
		}
		if v == nil || v.status != *r.Filter.Status || a.hidden != nil && a.hidden(id) {
			continue
		}
		list.Read++
		if r.Only(id) {
			list.Jobs = append(list.Jobs, upstream.ListedJob{EncodedJob: v.job(id), At: upstream.Position{ID: id}})
		}
	}
	list.Read += a.others
	list.Cut = r.Read > 0 && list.Read > r.Read
	takes := a.takes
	a.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return list, a.wait(ctx)
}

// calls are those since the last time.
func (a *account) calls() (infos, lists int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	infos, lists = a.infos, a.lists
	a.infos, a.lists = 0, 0
	return infos, lists
}

func (a *account) ids(n int) (ids []string) {
	for n := range n {
		ids = append(ids, fmt.Sprintf("%04x", n))
		a.set(ids[n], upstream.StatusPending)
	}
	return ids
}

// watchAll watches all ids, and gives what was told of each.
func watchAll(t *testing.T, a *account, ids []string) (poller *poll.Poller, told func(id string) string) {
	t.Helper()
	poller = poll.New(a, poll.Options{ByList: true})
	states, err := poller.Watch(t.Context(), token, ids)
	require.NoError(t, err)
	var mu sync.Mutex
	latest := map[string]string{}
	go func() {
		for state := range states {
			mu.Lock()
			switch state := state.(type) {
			case *upstream.EncodedJob:
				latest[state.ID()] = *state.Name() + " " + string(state.Status())
			case *upstream.Error:
				latest[state.JobID] = string(state.Type)
			}
			mu.Unlock()
		}
	}()
	return poller, func(id string) string {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		return latest[id]
	}
}

// Thousands of jobs at rest are some lists, and a change is told as soon as ever.
func TestPoller_ByListManyJobsAreAFewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &account{}
		ids := a.ids(2000)
		_, told := watchAll(t, a, ids)
		time.Sleep(time.Second)
		assert.Equal(t, "0 PENDING", told(ids[1999]))
		infos, lists := a.calls()
		assert.Zero(t, infos)
		assert.Equal(t, 4, lists, "nobody knows yet what is live")
		time.Sleep(10 * time.Minute)
		infos, lists = a.calls()
		assert.Zero(t, infos)
		assert.LessOrEqual(t, lists, 3*600/2)
		assert.GreaterOrEqual(t, lists, 3*20)
		t.Logf("10 minutes: %d lists, %d infos", lists, infos)
		// One that moves on is told by the lists, one that leaves them by Info.
		a.set(ids[7], upstream.StatusInProcess)
		a.set(ids[8], upstream.StatusComplete)
		time.Sleep(40 * time.Second)
		assert.Equal(t, "1 IN_PROCESS", told(ids[7]))
		assert.Equal(t, "1 COMPLETE", told(ids[8]))
		infos, _ = a.calls()
		assert.LessOrEqual(t, infos, 40, "the changed job is near its change, and polled by itself")
	})
}

// Few jobs, and few beside many that nobody watches, cost less by Info.
func TestPoller_ByListOnlyWhereItCostsLess(t *testing.T) {
	for name, test := range map[string]struct{ watched, others int }{
		"few": {5, 0}, "few of many": {50, 100_000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &account{others: test.others}
				ids := a.ids(test.watched)
				_, told := watchAll(t, a, ids)
				time.Sleep(10 * time.Minute)
				assert.Equal(t, "0 PENDING", told(ids[0]))
				infos, lists := a.calls()
				assert.LessOrEqual(t, lists, 20)
				assert.GreaterOrEqual(t, infos, 15*test.watched)
			})
		})
	}
}

// Where lists fail, or leave a job out, jobs are told of by Info, and by lists later.
func TestPoller_ByListFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &account{failLists: true}
		ids := a.ids(1000)
		_, told := watchAll(t, a, ids)
		time.Sleep(time.Second)
		assert.Equal(t, "0 PENDING", told(ids[999]))
		infos, lists := a.calls()
		assert.Equal(t, 1000, infos)
		assert.Equal(t, 1, lists)
		time.Sleep(10 * time.Minute)
		_, lists = a.calls()
		assert.Less(t, lists, 10, "it is not tried each time")
		a.mu.Lock()
		a.failLists = false
		a.hidden = func(id string) bool { return id == ids[3] }
		a.mu.Unlock()
		time.Sleep(11 * time.Minute)
		a.calls()
		time.Sleep(10 * time.Minute)
		infos, lists = a.calls()
		assert.Greater(t, lists, 20)
		assert.Less(t, infos, 60, "by Info it is one job")
		a.set(ids[3], upstream.StatusReviewing)
		time.Sleep(40 * time.Second)
		assert.Equal(t, "1 REVIEWING", told(ids[3]))
	})
}

// Lists that lag are found out by the job that they tell the past of, and left alone.
func TestPoller_ByListThatLagsTellsNothingOfThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &account{}
		ids := a.ids(50)
		poller, told := watchAll(t, a, ids)
		time.Sleep(10 * time.Minute)
		a.mu.Lock()
		a.lag = time.Minute
		a.mu.Unlock()
		a.set(ids[3], upstream.StatusPending)
		a.set(ids[4], upstream.StatusInProcess)
		poller.Wake(ids[3])
		poller.Wake(ids[4])
		a.calls()
		for range 50 {
			time.Sleep(time.Second)
			assert.Equal(t, "1 PENDING", told(ids[3]))
			assert.Equal(t, "1 IN_PROCESS", told(ids[4]))
		}
		_, lists := a.calls()
		assert.Greater(t, lists, 0)
		assert.LessOrEqual(t, lists, 12, "they are left alone")
	})
}

// A list says nothing of a job that was looked at while it was under way.
func TestPoller_ByListIsUsedOnlyIfItBeganAfterTheLastLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &account{}
		ids := a.ids(50)
		poller, told := watchAll(t, a, ids)
		time.Sleep(10 * time.Minute)
		a.mu.Lock()
		a.takes = 5 * time.Second
		a.mu.Unlock()
		for { // until a round is under way
			time.Sleep(100 * time.Millisecond)
			if _, lists := a.calls(); lists > 0 {
				break
			}
		}
		a.set(ids[3], upstream.StatusPending) // the list was made before
		poller.Wake(ids[3])
		assert.Equal(t, "1 PENDING", told(ids[3]))
		time.Sleep(time.Second)
		a.set(ids[3], upstream.StatusPending)
		poller.Wake(ids[3])
		assert.Equal(t, "2 PENDING", told(ids[3]))
		time.Sleep(4*time.Second + 500*time.Millisecond)
		a.mu.Lock()
		a.takes = 0
		a.mu.Unlock()
		infos, _ := a.calls()
		assert.LessOrEqual(t, infos, 4, "two wakes, and two more looks in four seconds")
		assert.Equal(t, "2 PENDING", told(ids[3]))
	})
}

// Jobs change at random while lists and calls take their time, lag or fail: what is told of
// a job never goes back, and its end is always told.
func TestPoller_ByListProperties(t *testing.T) {
	seed := replay.Seed(t)
	for round := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, round))
			a := &account{random: rand.New(rand.NewPCG(seed, round+100)), slow: true, lag: time.Duration(random.IntN(3)) * 2 * time.Second}
			if random.IntN(2) == 0 {
				a.hidden = func(id string) bool { return id[3] == '7' }
			}
			ids := a.ids(20 + random.IntN(60))
			poller := poll.New(a, poll.Options{ByList: true})
			states, err := poller.Watch(t.Context(), token, ids)
			require.NoError(t, err)
			latest, ended := map[string]int{}, map[string]bool{}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for state := range states {
					job, ok := state.(*upstream.EncodedJob)
					if !ok {
						continue
					}
					number, _ := strconv.Atoi(*job.Name())
					if before, known := latest[job.ID()]; known {
						assert.Greater(t, number, before, "%s goes back, lag %v", job.ID(), a.lag)
					}
					latest[job.ID()] = number
					ended[job.ID()] = job.Status() == upstream.StatusComplete
				}
			}()
			statuses := []upstream.JobStatus{upstream.StatusPending, upstream.StatusInProcess, upstream.StatusInProcess, upstream.StatusReviewing, upstream.StatusComplete}
			at := map[string]int{}
			for range 400 {
				time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
				id := ids[random.IntN(len(ids))]
				if at[id] < len(statuses)-1 {
					at[id] += random.IntN(2)
					a.set(id, statuses[at[id]])
				}
				if random.IntN(10) == 0 {
					poller.Wake(ids[random.IntN(len(ids))])
				}
				if random.IntN(40) == 0 {
					a.mu.Lock()
					a.failLists = !a.failLists
					a.mu.Unlock()
				}
			}
			for _, id := range ids {
				if at[id] < len(statuses)-1 {
					a.set(id, upstream.StatusComplete)
				}
			}
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			<-done
			for _, id := range ids {
				assert.True(t, ended[id], "%s has not ended", id)
			}
		})
	}
}
