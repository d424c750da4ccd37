package poll_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"jobgraph/upstream"
	"jobgraph/upstream/poll"
	"jobgraph/upstream/sandbox"
)

// Watch tells of a job at once and then of each change, until it has settled.
func ExamplePoller_Watch() {
	// One of the sandbox's jobs lives for 30 seconds of this clock.
	began := time.Now()
	var elapsed atomic.Int64
	clock := func() time.Time { return began.Add(time.Duration(elapsed.Load())) }
	api := httptest.NewServer(sandbox.New(sandbox.Options{Now: clock}))
	defer api.Close()
	client, err := upstream.New(api.URL, upstream.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	poller := poll.New(client, poll.Options{Interval: time.Millisecond, MaxInterval: 5 * time.Millisecond})
	states, err := poller.Watch(context.Background(), sandbox.Token, []string{"30000000000000000000000000000001"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for state := range states {
		switch state := state.(type) {
		case *upstream.EncodedJob:
			fmt.Println(state.Status())
		case *upstream.Error:
			fmt.Println(state.Type, state.Retryable())
		}
		elapsed.Add(int64(6 * time.Second))
	}
	fmt.Println("settled")
	// Output:
	// AUTHORIZING
	// PENDING
	// IN_PROCESS
	// REVIEWING
	// COMPLETE
	// settled
}
