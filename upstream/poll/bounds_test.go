package poll_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/poll"
)

// operations is a source that notes for which operations it is asked.
type operations struct {
	source
	noted sync.Map // *upstream.Operation -> true
}

func (o *operations) Job(ctx context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	o.noted.Store(r.Operation, true)
	return o.source.Job(ctx, r)
}

// watchMany watches jobs that rest, until none is due to be polled soon.
func watchMany(t *testing.T, src upstream.Source, set func(id string, state upstream.Result), jobs int) (*poll.Poller, []string) {
	t.Helper()
	ids := make([]string, jobs)
	for i := range ids {
		ids[i] = fmt.Sprintf("%04x", i)
		set(ids[i], job(upstream.StatusPending))
	}
	poller := poll.New(src, poll.Options{MaxInterval: time.Hour})
	_, err := poller.Watch(t.Context(), token, ids)
	require.NoError(t, err)
	time.Sleep(5 * time.Hour)
	synctest.Wait()
	return poller, ids
}

// However many jobs are watched, a query has its turn after one poll of them.
func TestPoller_AllPollsAreOfOneOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &operations{}
		watchMany(t, src, src.set, 100)
		noted := 0
		src.noted.Range(func(operation, _ any) bool {
			assert.NotNil(t, operation.(*upstream.Operation), "calls of no operation have a turn each")
			noted++
			return true
		})
		assert.Equal(t, 1, noted)
	})
}

// Each job is woken once, so that no bound of a single job is at work.
func TestPoller_WakesOfTheProcessAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		poller, ids := watchMany(t, src, src.set, 1000)
		before := pause(src)
		for _, id := range ids {
			poller.Wake(id)
		}
		synctest.Wait()
		assert.Equal(t, 100, len(src.seen())-before, "polls by a thousand wakes at once")
	})
}
