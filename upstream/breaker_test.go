package upstream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"jobgraph/upstream/keyedhash"
)

func TestBreakerOpensAtHalfOfAWindow(t *testing.T) {
	for _, test := range []struct {
		name string
		of   int // one call of so many fails
		open bool
	}{{"a half", 2, true}, {"a third", 3, false}} {
		t.Run(test.name, func(t *testing.T) {
			open := false
			b := newBreaker(func(now bool) { open = now })
			for i := range 60 {
				p, _ := b.admit()
				b.record(p, i%test.of == 0)
			}
			assert.Equal(t, test.open, open)
		})
	}
}

func TestBreakerProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := false
		b := newBreaker(func(now bool) { open = now })
		old, _ := b.admit()
		for range failuresInARow {
			b.record(old, true)
		}
		assert.True(t, open)
		_, wait := b.admit()
		assert.Positive(t, wait)
		b.record(old, false)
		assert.True(t, open, "an answer to a call of before the change closed the breaker")

		time.Sleep(2 * probeEvery)
		_, wait = b.admit() // a probe that is cancelled or hangs
		assert.Zero(t, wait)
		_, wait = b.admit()
		assert.Positive(t, wait, "two probes at once")
		time.Sleep(2 * probeEvery)
		probe, wait := b.admit()
		assert.Zero(t, wait, "the probe before has kept its place")
		b.record(probe, true)
		assert.True(t, open, "a failed probe closed the breaker")
		b.record(probe, false)
		assert.False(t, open)
		assert.Zero(t, b.remaining())
	})
}

func TestRateLimitsAreBounded(t *testing.T) {
	limits, keys := newRateLimits(), keyedhash.New()
	for i := range maxLimited + 10 {
		limits.limit(keys.Sum(string(rune(i))), time.Minute)
	}
	assert.LessOrEqual(t, len(limits.until), maxLimited)
}
