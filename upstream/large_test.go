package upstream

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"jobgraph/upstream/http1"
)

// largeEndpoint plays a job API whose bodies are large, and come as soon as they are let in,
// but those of the id "bb", which come when end is closed.
type largeEndpoint struct{ end chan struct{} }

const slowID = "bb"

func (e largeEndpoint) Get(ctx context.Context, deadline time.Time, query string, large func(context.Context) error) (http1.Response, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for range 2 { // as for a body and what it is unpacked to
		if err := large(ctx); err != nil {
			return http1.Response{Status: 200}, err
		}
	}
	if query[len(query)-len(slowID):] == slowID {
		<-e.end
	}
	return aJob, nil
}
func (largeEndpoint) Close() {}

// Eight are read at the same time. Who waits does so until its call's end, and is told
// that this server is busy; that is no failure of the job API.
func TestLarge_BodiesWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		c := played(t, nil, Options{})
		c.info = largeEndpoint{end}
		defer c.Close()
		ask := func(id string) error {
			_, err := c.Job(t.Context(), NewRequest(canary, id))
			return err
		}
		var slow sync.WaitGroup
		for range 7 {
			slow.Go(func() { assert.NoError(t, ask(slowID)) })
		}
		synctest.Wait()
		for range 20 {
			assert.NoError(t, ask(anID), "one is free, and is free again")
		}
		slow.Go(func() { assert.NoError(t, ask(slowID)) })
		synctest.Wait()

		began := time.Now()
		err := ask(anID)
		assert.ErrorIs(t, err, &Error{Type: Unavailable})
		assert.Equal(t, 10*time.Second, time.Since(began), "the call's own time")
		if failed := ErrorOf(err); assert.NotNil(t, failed) {
			assert.Equal(t, time.Second, failed.RetryAfter)
		}
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		_, err = c.Job(ctx, NewRequest(canary, anID))
		assert.ErrorIs(t, err, context.Canceled)

		close(end)
		slow.Wait()
		for range 20 {
			assert.NoError(t, ask(anID))
		}
	})
}
