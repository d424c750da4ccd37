package graph_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"jobgraph/graph"
	"jobgraph/upstream"
	"jobgraph/upstream/sandbox"
)

// The handler is the whole GraphQL endpoint: POST, GET, WebSocket and server-sent
// events. Each id has a job or an error in its place.
func ExampleNewHandler() {
	api := httptest.NewServer(sandbox.New(sandbox.Options{}))
	defer api.Close()
	client, err := upstream.New(api.URL, upstream.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	server := httptest.NewServer(graph.NewHandler(client, graph.Options{DefaultToken: sandbox.Token}))
	defer server.Close()

	response, err := http.Post(server.URL, "application/json", strings.NewReader(`{
		"query": "query ($ids: [ID!]!) { job(ids: $ids) { ... on Job { name status } ... on ApiError { type retryable } } }",
		"variables": {"ids": ["d4fb871e07514304b23131b45f8caa1f", "00000000000000000000000000000000"]}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	fmt.Println(string(answer))
	// Output:
	// {"data":{"job":[{"name":"example_job","status":"COMPLETE"},{"type":"ITEM_NOT_FOUND","retryable":false}]}}
}
