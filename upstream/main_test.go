package upstream

import (
	"flag"
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"
)

// To replay a property test that failed: go test ./upstream -run Test… -seed 1234
var seed = flag.Uint64("seed", 0, "what the property tests draw from; 0: something new")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seeded draws from the seed, which a failed test names.
func seeded(t *testing.T) *rand.Rand {
	drawn := *seed
	if drawn == 0 {
		drawn = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("replay with -run '^%s$' -seed %d", t.Name(), drawn)
		}
	})
	return rand.New(rand.NewPCG(drawn, 1))
}
