package responsecache_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/upstream"
	"jobgraph/upstream/replay"
	"jobgraph/upstream/store"
	"jobgraph/upstream/store/storetest"
)

// Whole operations of random callers, who leave at random while time passes at random:
// each job in each answer is one that the caller may be told of.
func TestProperty_Properties(t *testing.T) {
	seed := replay.Seed(t)
	f := newFacade(t, seed)
	var callers sync.WaitGroup
	for n := range uint64(12) {
		callers.Go(func() {
			random := rand.New(rand.NewPCG(seed, n+2))
			for range 150 {
				f.askAtRandom(t, random)
			}
		})
	}
	callers.Wait()
	require.Eventually(t, func() bool { return f.oracle.Open() == 0 }, timeout, time.Millisecond, "calls that nobody waits for go on")
	for _, how := range []string{"in_flight", "kept"} {
		assert.NotZero(t, f.shared[how], how)
	}
	f.everybodyLeaves(t)
	f.nothingIsLeftBehind(t)
}

type facade struct {
	*world
	oracle *storetest.Oracle
	clock  *storetest.Clock
	mu     sync.Mutex
	shared map[string]int
}

func newFacade(t *testing.T, seed uint64) *facade {
	f := &facade{clock: &storetest.Clock{}, shared: map[string]int{}}
	f.oracle = storetest.New(seed, f.clock)
	rest := httptest.NewServer(f.oracle)
	t.Cleanup(rest.Close)
	client, err := upstream.New(rest.URL, upstream.Options{})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	jobs := store.New(f.oracle.Source(client), store.Options{SettledTTL: time.Minute, ActiveTTL: time.Second, Now: f.clock.Now})
	t.Cleanup(jobs.Close)
	server := httptest.NewServer(graph.NewHandler(jobs, graph.Options{CacheResponses: true, ObserveShared: func(how string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.shared[how]++
	}}))
	t.Cleanup(server.Close)
	f.world = &world{Server: server}
	return f
}

const looks = `query ($ids: [ID!]!) { job(ids: $ids) { ... on Job { name } ... on ApiError { comment type } } }`

var lists = [][]string{{"1"}, {"2"}, {"1", "2"}, {"1", "2", "3", "4"}, {"3", "3", "1"}}

func (f *facade) askAtRandom(t *testing.T, random *rand.Rand) {
	ids := lists[random.IntN(len(lists))]
	o := operation{token: []string{"aa11", "bb22"}[random.IntN(2)], query: looks,
		variables: map[string]any{"ids": ids}, fresh: random.IntN(8) == 0}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if random.IntN(4) == 0 {
		defer time.AfterFunc(time.Duration(random.IntN(2500))*time.Microsecond, cancel).Stop()
	}
	f.check(t, ctx, o, ids)
	if random.IntN(12) == 0 {
		f.clock.Advance(time.Duration(random.IntN(600)) * time.Millisecond)
	}
}

// check asks, and looks at each job of the answer.
func (f *facade) check(t *testing.T, ctx context.Context, o operation, ids []string) {
	moment := f.oracle.Begin()
	got, err := f.do(ctx, t, o)
	if ctx.Err() != nil {
		return
	}
	var answer struct {
		Data struct {
			Job []struct{ Name, Comment string }
		}
	}
	if !assert.NoError(t, err, "who stays gets an answer") || !assert.Equal(t, http.StatusOK, got.Status, got.Body) ||
		!assert.NoError(t, json.Unmarshal([]byte(got.Body), &answer), got.Body) || !assert.Len(t, answer.Data.Job, len(ids), got.Body) {
		return
	}
	for i, told := range answer.Data.Job {
		text := told.Name + told.Comment
		assert.NoError(t, f.oracle.Check(moment, o.token, ids[i], text))
		if o.fresh {
			f.oracle.Seen(moment, o.token, ids[i], text)
		}
	}
}

// everybodyLeaves has calls hang, and ends when they have been given up.
func (f *facade) everybodyLeaves(t *testing.T) {
	f.clock.Advance(2 * time.Minute)
	f.oracle.Hang(true)
	defer f.oracle.Hang(false)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var callers sync.WaitGroup
	for _, ids := range append(lists, lists...) {
		callers.Go(func() {
			_, err := f.do(ctx, t, operation{token: "aa11", query: looks, variables: map[string]any{"ids": ids}})
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
	require.Eventually(t, func() bool { return f.oracle.Open() == 4 }, timeout, time.Millisecond, "one call a job")
	cancel()
	callers.Wait()
	require.Eventually(t, func() bool { return f.oracle.Open() == 0 }, timeout, time.Millisecond)
}

// nothingIsLeftBehind asks everything once more: an execution that had been left in the
// way would be waited for.
func (f *facade) nothingIsLeftBehind(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	for _, token := range []string{"aa11", "bb22"} {
		for _, ids := range lists {
			f.clock.Advance(2 * time.Minute)
			before := f.oracle.Observations()
			f.check(t, ctx, operation{token: token, query: looks, variables: map[string]any{"ids": ids}}, ids)
			assert.Greater(t, f.oracle.Observations(), before, "the job API is asked")
		}
	}
	assert.NoError(t, ctx.Err())
}
