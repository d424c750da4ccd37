package graph

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"jobgraph/upstream"
)

// slow is a source that takes as long as an upstream would, and says how long
// each call really took.
type slow struct{ took chan time.Duration }

func (s slow) Job(_ context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	id := r.Key.ID
	began := time.Now()
	time.Sleep(20 * time.Millisecond)
	s.took <- time.Since(began)
	return upstream.Job{ID: id, Status: upstream.StatusComplete}.Encode(), nil
}

// BenchmarkLoader reports what an operation's loader adds over the slowest of its
// upstream calls: the median of all runs.
func BenchmarkLoader(b *testing.B) {
	for _, size := range []int{1, 10, 100} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			source := slow{make(chan time.Duration, size)}
			ids := make([]string, size)
			for i := range ids {
				ids[i] = strconv.Itoa(i)
			}
			var added []time.Duration
			for b.Loop() {
				began := time.Now()
				if _, err := newLoader(source, noLists{}, caller{token: "aa"}, nil).load(b.Context(), ids); err != nil {
					b.Fatal(err)
				}
				took := time.Since(began)
				var slowest time.Duration
				for range ids {
					slowest = max(slowest, <-source.took)
				}
				added = append(added, took-slowest)
			}
			slices.Sort(added)
			b.ReportMetric(float64(added[len(added)/2].Microseconds()), "µs-added(p50)")
		})
	}
}
