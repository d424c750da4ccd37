// Package replay gives property tests their random numbers, and a failed one the seed that
// replays it. It is for tests alone.
package replay

import (
	"flag"
	"math/rand/v2"
	"testing"
)

var seed = flag.Uint64("seed", 0, "what the property tests draw from; 0: something new")

// Seed is what the test draws from; a test that fails says how to have it again.
func Seed(t testing.TB) uint64 {
	drawn := *seed
	if drawn == 0 {
		drawn = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("replay with -run '^%s$' -seed %d", t.Name(), drawn)
		}
	})
	return drawn
}

// Rand draws from [Seed].
func Rand(t testing.TB) *rand.Rand { return rand.New(rand.NewPCG(Seed(t), 1)) }
