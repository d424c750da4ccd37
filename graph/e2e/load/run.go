package load

import (
	"bytes"
	"cmp"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Target is a server that answers the questions.
type Target struct {
	// URL is where to post.
	URL string
	// Bare targets take {"ids": […]}; others take GraphQL.
	Bare bool
}

// A Result is what some time of load gave.
type Result struct {
	Requests int
	Took     time.Duration
	// Latencies of all requests, in no order.
	Latencies []time.Duration
}

// PerSecond is in requests.
func (r *Result) PerSecond() float64 { return float64(r.Requests) / r.Took.Seconds() }

// Percentile is a latency: 50 is the median.
func (r *Result) Percentile(p int) time.Duration {
	slices.SortFunc(r.Latencies, cmp.Compare)
	return r.Latencies[(len(r.Latencies)-1)*p/100]
}

// Add puts another result to this one.
func (r *Result) Add(more Result) {
	r.Requests += more.Requests
	r.Took += more.Took
	r.Latencies = append(r.Latencies, more.Latencies...)
}

// Once gives the answer to the question.
func Once(t testing.TB, target Target, q Question) []byte {
	t.Helper()
	c, err := dial(target.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answer, err := c.post(q.bodies(target)())
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(answer)
}

// Run asks the question over so many connections, at least once over each, until the
// time is over. An answer that is not whole is an error.
func Run(target Target, q Question, connections int, long time.Duration) (Result, error) {
	open := make([]*connection, connections)
	for i := range open {
		c, err := dial(target.URL)
		if err != nil {
			return Result{}, err
		}
		defer c.Close()
		open[i] = c
	}
	latencies := make([][]time.Duration, connections)
	var group errgroup.Group
	began := time.Now()
	for i, c := range open {
		next := q.bodies(target)
		group.Go(func() error {
			for first := true; first || time.Since(began) < long; first = false {
				body := next()
				asked := time.Now()
				answer, err := c.post(body)
				if err != nil {
					return err
				}
				latencies[i] = append(latencies[i], time.Since(asked))
				if err := q.check(answer); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	result := Result{Took: time.Since(began), Latencies: slices.Concat(latencies...)}
	result.Requests = len(result.Latencies)
	return result, err
}
