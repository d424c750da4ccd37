package graph_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"jobgraph/graph"
	"jobgraph/upstream"
	"jobgraph/upstream/cache"
	"jobgraph/upstream/faults"
)

// BenchmarkServer compares a whole operation over HTTP, in one run and in turns,
// with a bare net/http handler that makes the same upstream calls over the same
// client and writes the same fields with encoding/json. The metric "of-bare" is
// how many operations are answered in the time that the bare handler answers one.
func BenchmarkServer(b *testing.B) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, faults.Job(r.URL.Query().Get("job_id")))
	}))
	defer api.Close()
	client, err := upstream.New(api.URL, upstream.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	kept := cache.New(client, cache.Options{})
	defer kept.Close()
	bare := httptest.NewServer(bareHandler(client))
	defer bare.Close()
	for _, c := range []struct {
		name   string
		source graph.JobSource
		size   int
	}{{"cold/1", client, 1}, {"cold/10", client, 10}, {"cold/100", client, 100}, {"cached/10", kept, 10}} {
		b.Run(c.name, func(b *testing.B) {
			server := httptest.NewServer(graph.NewHandler(c.source, graph.Options{DefaultToken: "aa"}))
			defer server.Close()
			body := request(c.size)
			var ours, theirs time.Duration
			b.ReportAllocs()
			for b.Loop() {
				ours += timed(b, server.URL, body)
				theirs += timed(b, bare.URL, body)
			}
			b.ReportMetric(float64(theirs)/float64(ours), "of-bare")
		})
	}
}

// request is read by both: the bare handler looks at variables.ids alone.
func request(size int) []byte {
	ids := make([]string, size)
	for i := range ids {
		ids[i] = strconv.FormatInt(int64(i+1), 16)
	}
	body, _ := json.Marshal(map[string]any{
		"query":     `query ($ids: [ID!]!) { job(ids: $ids) { ... on Job { id name status priority creationDate } } }`,
		"variables": map[string]any{"ids": ids},
	})
	return body
}

func timed(b *testing.B, url string, body []byte) time.Duration {
	began := time.Now()
	response, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		b.Fatal(response.Status, err)
	}
	return time.Since(began)
}

func bareHandler(client *upstream.Client) http.Handler {
	type job struct {
		ID           string             `json:"id"`
		Name         *string            `json:"name"`
		Status       upstream.JobStatus `json:"status"`
		Priority     *upstream.Priority `json:"priority"`
		CreationDate *time.Time         `json:"creationDate"`
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Variables struct{ IDs []string }
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		jobs := make([]job, len(asked.Variables.IDs))
		var calls sync.WaitGroup
		for i, id := range asked.Variables.IDs {
			calls.Go(func() {
				if got, err := client.Job(r.Context(), "aa", id); err == nil {
					jobs[i] = job{got.ID, got.Name, got.Status, got.Priority, got.CreationDate}
				}
			})
		}
		calls.Wait()
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"job": jobs}})
	})
}
