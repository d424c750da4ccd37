package tier_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/fleet/redistest"
)

// What a hit costs this process, beside what it waits.
func BenchmarkTier_Hit(b *testing.B) {
	one := join(b, redistest.Start(b), &api{name: "job", settled: true})
	_, _, err := one.ask("aa", false)
	require.NoError(b, err)
	one.keys(1)
	b.ReportAllocs()
	for b.Loop() {
		var began int64
		r := upstream.NewRequest(token, "aa")
		r.Began = &began
		if _, err := one.Job(b.Context(), r); err != nil || time.Duration(began) == 0 {
			b.Fatal("a miss", err)
		}
		one.outcomes = one.outcomes[:0]
	}
}
