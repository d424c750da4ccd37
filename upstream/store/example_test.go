package store_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"jobgraph/upstream"
	"jobgraph/upstream/sandbox"
	"jobgraph/upstream/store"
)

// A store stands before a client and is asked like one. A request that is Fresh goes past
// what is cached, and refreshes it.
func ExampleNew() {
	var calls atomic.Int64
	jobs := sandbox.New(sandbox.Options{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		jobs.ServeHTTP(w, r)
	}))
	defer api.Close()
	client, err := upstream.New(api.URL, upstream.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	jobStore := store.New(client, store.Options{SettledTTL: time.Minute, ActiveTTL: time.Second})
	defer jobStore.Close()

	ctx, request := context.Background(), upstream.NewRequest(sandbox.Token, sandbox.DocumentedJobID)
	for range 3 {
		job, err := jobStore.Job(ctx, request)
		fmt.Println(*job.Name(), err)
	}
	fmt.Println("calls:", calls.Load())
	request.Fresh = true
	_, _ = jobStore.Job(ctx, request)
	fmt.Println("calls:", calls.Load())
	// Output:
	// example_job <nil>
	// example_job <nil>
	// example_job <nil>
	// calls: 1
	// calls: 2
}
