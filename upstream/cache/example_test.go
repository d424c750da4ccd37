package cache_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	"jobgraph/upstream"
	"jobgraph/upstream/cache"
	"jobgraph/upstream/sandbox"
)

// A cache stands before a client and is asked like one. A context that is Fresh
// passes by what is kept, and refreshes it.
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
	kept := cache.New(client, cache.Options{})
	defer kept.Close()

	ctx := context.Background()
	for range 3 {
		job, err := kept.Job(ctx, sandbox.Token, sandbox.DocumentedJobID)
		fmt.Println(*job.Name, err)
	}
	fmt.Println("calls:", calls.Load())
	_, _ = kept.Job(upstream.Fresh(ctx), sandbox.Token, sandbox.DocumentedJobID)
	fmt.Println("calls:", calls.Load())
	// Output:
	// example_job <nil>
	// example_job <nil>
	// example_job <nil>
	// calls: 1
	// calls: 2
}
