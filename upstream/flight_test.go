package upstream

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// calls are the calls under way for some keys, as whoever makes them sees them.
type calls struct {
	t *testing.T

	mu      sync.Mutex
	running map[string]map[int]context.Context
	n       int
}

// make is one call. Where no caller asks for fresh data, no other call for the key is
// under way that somebody waits for.
func (c *calls) make(ctx context.Context, id string, alone bool, took time.Duration) (*Job, error) {
	c.mu.Lock()
	c.n++
	n := c.n
	for _, other := range c.running[id] {
		if alone && ctx.Err() == nil {
			assert.Error(c.t, other.Err(), "a second call for the same job")
		}
	}
	if c.running[id] == nil {
		c.running[id] = map[int]context.Context{}
	}
	c.running[id][n] = ctx
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.running[id], n)
	}()
	select {
	case <-time.After(took):
		return &Job{ID: id}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// order is a Keeper that wants to be told in the order in which the calls began.
type order struct {
	t     *testing.T
	mu    *sync.Mutex
	begun *int
	said  *int
	mine  int
}

func (o *order) CallBegun() {
	o.mu.Lock()
	defer o.mu.Unlock()
	*o.begun++
	o.mine = *o.begun
}

func (o *order) CallEnded(*Job, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	assert.Greater(o.t, o.mine, *o.said, "an earlier call than the last one that was told")
	*o.said = o.mine
}

func TestPropertiesOfSharedCalls(t *testing.T) {
	for name, freshOneIn := range map[string]int{"no fresh callers": 0, "some": 6} {
		t.Run(name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			f, made := newFlights(), &calls{t: t, running: map[string]map[int]context.Context{}}
			ids := []string{"1", "2", "3"}
			var mu sync.Mutex
			begun, said := map[string]*int{}, map[string]*int{}
			for _, id := range ids {
				begun[id], said[id] = new(int), new(int)
			}
			var callers sync.WaitGroup
			for n := range uint64(12) {
				callers.Go(func() {
					random := rand.New(rand.NewPCG(seed, n))
					for range 300 {
						id := ids[random.IntN(len(ids))]
						ctx := WithKeeper(context.Background(), &order{t: t, mu: &mu, begun: begun[id], said: said[id]})
						ctx, leave := context.WithCancel(ctx)
						if random.IntN(2) == 0 {
							time.AfterFunc(time.Duration(random.IntN(400))*time.Microsecond, leave)
						}
						if freshOneIn > 0 && random.IntN(freshOneIn) == 0 {
							ctx = Fresh(ctx)
						}
						took := time.Duration(random.IntN(400)) * time.Microsecond
						job, _, err := f.do(ctx, flightKey{id: id}, func(ctx context.Context) (*Job, error) {
							return made.make(ctx, id, freshOneIn == 0, took)
						})
						switch {
						case err == nil:
							assert.Equal(t, id, job.ID)
						case assert.ErrorIs(t, err, context.Canceled):
							assert.Error(t, ctx.Err(), "only who has left is told so")
						}
						leave()
					}
				})
			}
			callers.Wait()
			f.close() // waits for the calls
			assert.Empty(t, f.running)
		})
	}
}

func TestACallThatEverybodyHasLeftEnds(t *testing.T) {
	f := newFlights()
	ctx, leave := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range 3 {
		callers.Go(func() {
			_, _, err := f.do(ctx, flightKey{id: "1"}, func(ctx context.Context) (*Job, error) {
				<-ctx.Done()
				return nil, errors.New("ended")
			})
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
	leave()
	callers.Wait()
	f.close() // waits for the calls
	assert.Empty(t, f.running)
}
