package graph_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/serve/admin"
	"jobgraph/upstream"
)

// startedCalls counts the calls that have begun to wait for a slot.
type startedCalls struct {
	*admin.Metrics
	n atomic.Int32
}

func (s *startedCalls) CallStarted() {
	s.n.Add(1)
	s.Metrics.CallStarted()
}

// One caller's operation for a hundred jobs waits before its operation for one, over a job
// API that is asked for one at a time.
func TestOperations_TakeTurnsForSlots(t *testing.T) {
	const many = 100
	var mu sync.Mutex
	var asked []string
	release := make(chan struct{})
	api := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("job_id")
		mu.Lock()
		asked = append(asked, id)
		mu.Unlock()
		<-release
		fmt.Fprintf(w, `{"JobId": %q, "JobStatus": "Pending"}`, id)
	}))
	started := &startedCalls{Metrics: admin.NewMetrics()}
	client, err := upstream.New(api, upstream.Options{Concurrency: 1, Timeout: time.Minute, Observer: started})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	server := serveHandler(t, graph.NewHandler(client, graph.Options{DefaultToken: liveToken}))
	var answers sync.WaitGroup
	ask := func(ids string) {
		answers.Go(func() {
			answer := gqltest.Post(t, server, `{"query": "{ job(ids: [`+ids+`]) { ... on Job { id } } }"}`)
			assert.Contains(t, answer.Body, `"data"`)
			assert.NotContains(t, answer.Body, "errors")
		})
	}
	var ids strings.Builder
	for i := range many {
		fmt.Fprintf(&ids, `\"a%02d\",`, i)
	}
	ask(ids.String())
	require.Eventually(t, func() bool { return started.n.Load() == many }, 10*time.Second, time.Millisecond)
	ask(`\"bb\"`)
	require.Eventually(t, func() bool { return started.n.Load() == many+1 }, 10*time.Second, time.Millisecond)
	close(release)
	answers.Wait()
	assert.Less(t, slices.Index(asked, "bb"), many/5, "calls before the one of the small operation")
}
