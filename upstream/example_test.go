package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"

	"jobgraph/upstream"
	"jobgraph/upstream/sandbox"
)

// A client is made once and asked from any goroutine. What goes wrong is an
// *upstream.Error: its Type is for programs, its Comment for people, and Retryable
// says whether asking again may help.
func ExampleNew() {
	api := httptest.NewServer(sandbox.New(sandbox.Options{})) // or https://api.cielo24.com
	defer api.Close()
	client, err := upstream.New(api.URL, upstream.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	job, err := client.Job(context.Background(), upstream.NewRequest(sandbox.Token, sandbox.DocumentedJobID))
	fmt.Println(*job.Name(), job.Status(), err)

	_, err = client.Job(context.Background(), upstream.NewRequest(sandbox.Token, "00000000000000000000000000000000"))
	var failed *upstream.Error
	if errors.As(err, &failed) {
		fmt.Println(failed.Type, failed.Retryable())
	}
	// Output:
	// example_job COMPLETE <nil>
	// ITEM_NOT_FOUND false
}
