package admission

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream/keyedhash"
)

func rate(t *testing.T, text string) Rate {
	t.Helper()
	var r Rate
	require.NoError(t, r.UnmarshalText([]byte(text)))
	assert.Equal(t, text, r.String())
	return r
}

func TestRateLimiter_EachCallerHasItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := NewRateLimiter(rate(t, "10/30"))
		noisy, quiet := keyedhash.Sum{1}, keyedhash.Sum{2}
		passed := 0
		for range 10_000 { // ten seconds
			if wait := limiter.Take(noisy); wait == 0 {
				passed++
			} else {
				assert.LessOrEqual(t, wait, 100*time.Millisecond)
			}
			time.Sleep(time.Millisecond)
		}
		assert.InDelta(t, 30+10*10, passed, 1, "its burst, and ten a second")
		for range 30 {
			assert.Zero(t, limiter.Take(quiet), "the burst of another one is whole")
		}
		wait := limiter.Take(quiet)
		assert.Positive(t, wait)
		time.Sleep(wait)
		assert.Zero(t, limiter.Take(quiet), "after that time there is one")
		assert.Positive(t, limiter.Take(quiet))
	})
}

func TestRateLimiter_CallersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := NewRateLimiter(rate(t, "1/2"))
		for n := range uint64(2 * maxRates) {
			var caller keyedhash.Sum
			binary.LittleEndian.PutUint64(caller[:], n+1)
			limiter.Take(caller)
		}
		assert.LessOrEqual(t, len(limiter.full), maxRates)
		time.Sleep(5 * time.Second)
		assert.Zero(t, limiter.Take(keyedhash.Sum{31: 1}))
		assert.Equal(t, 1, len(limiter.full), "those that rest are forgotten")
	})
}

func TestRate_WrongOnesAreRefused(t *testing.T) {
	for _, text := range []string{"x", "0", "-1", "1/0", "1/x", "1/", "NaN", "Inf", "1e9", "1/2/3"} {
		var r Rate
		assert.Error(t, r.UnmarshalText([]byte(text)), text)
	}
	var r Rate
	require.NoError(t, r.UnmarshalText([]byte("0.5")))
	assert.Equal(t, Rate{0.5, 1}, r)
	assert.Nil(t, NewRateLimiter(Rate{}))
	assert.Zero(t, NewRateLimiter(Rate{}).Take(keyedhash.Sum{}))
}
