package policy

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream/keyedhash"
	"jobgraph/upstream/replay"
)

// circuits is an Observer of breakers.
type circuits struct {
	open   bool // for all
	tokens int
	opened int // how often, for all or a token
}

func (c *circuits) BreakerChanged(open bool) {
	c.open = open
	if open {
		c.opened++
	}
}

func (c *circuits) TokenBreakersOpen(tokens int) {
	if tokens > c.tokens {
		c.opened++
	}
	c.tokens = tokens
}

func testBreaker() (*Breaker, *circuits) {
	seen := &circuits{}
	return NewBreaker(seen, NewFailureLog(nil), 256), seen
}

func key(n int) keyedhash.Sum { return keyedhash.Sum{byte(n), byte(n >> 8), byte(n >> 16)} }

// call asks and has the result at once; it is false where it was refused.
func call(b *Breaker, token keyedhash.Sum, r Result) bool {
	p, wait := b.Admit(token)
	if wait > 0 {
		return false
	}
	b.Record(p, r)
	return true
}

func TestBreaker_OpensAtHalfOfAWindow(t *testing.T) {
	for _, test := range []struct {
		name string
		of   int // one call of so many fails
		open bool
	}{{"a half", 2, true}, {"a third", 3, false}} {
		t.Run(test.name, func(t *testing.T) {
			b, seen := testBreaker()
			for i := range 60 {
				r := Good
				if i%test.of == 0 {
					r = Unavailable
				}
				call(b, key(1), r)
			}
			assert.Equal(t, test.open, seen.open)
		})
	}
}

// Failures in a row say nothing right after a good answer.
func TestBreaker_FiveInARowOpenWhereNothingIsGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, seen := testBreaker()
		call(b, key(1), Good)
		for range 2 * failuresInARow {
			call(b, key(1), Unavailable)
		}
		assert.Zero(t, seen.opened)
		time.Sleep(quietFor)
		call(b, key(1), Unavailable)
		assert.True(t, seen.open)
	})
}

func TestBreaker_Probes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, seen := testBreaker()
		for range failuresInARow - 1 {
			require.True(t, call(b, key(1), Unavailable))
		}
		last, _ := b.Admit(key(1))
		old, _ := b.Admit(key(1))
		b.Record(last, TimedOut)
		assert.True(t, seen.open)
		assert.Equal(t, 1, seen.tokens)
		_, wait := b.Admit(key(1))
		assert.Positive(t, wait)
		b.Record(old, Good)
		assert.True(t, seen.open, "an answer to a call of before the change closed the breaker")

		time.Sleep(2 * probeEvery)
		cancelled, wait := b.Admit(key(1))
		assert.Zero(t, wait)
		_, wait = b.Admit(key(1))
		assert.Positive(t, wait, "two probes at once")
		time.Sleep(2 * probeEvery)
		hanging, wait := b.Admit(key(1))
		assert.Zero(t, wait, "the probe before has kept its place")
		b.Record(cancelled, Cancelled)
		time.Sleep(2 * probeEvery)
		assert.True(t, call(b, key(1), Unavailable), "the probe before has kept its place")
		assert.True(t, seen.open, "a failed probe closed the breaker")
		b.Record(hanging, Good)
		assert.False(t, seen.open)
		assert.Zero(t, seen.tokens)
		assert.Zero(t, b.Remaining(key(1)))
	})
}

// Whoever is in flight, fails or is good: one failure in ten opens nothing, even where
// failures come at once and answers after seconds, or stall for a while.
func TestBreaker_TenPercentNeverOpenTheBreaker(t *testing.T) {
	random := replay.Rand(t)
	for range 10 {
		synctest.Test(t, func(t *testing.T) {
			b, seen := testBreaker()
			tokens, slow := 1+random.IntN(4), []time.Duration{5 * time.Millisecond, 100 * time.Millisecond, 2 * time.Second}[random.IntN(3)]
			u := &upstreamPlayed{b: b, random: random, result: func(keyedhash.Sum) (Result, time.Duration) {
				if random.IntN(10) == 0 {
					return Unavailable, time.Duration(random.IntN(int(2 * time.Millisecond)))
				}
				return Good, slow/2 + time.Duration(random.IntN(int(slow)))
			}}
			u.stallAt = time.Now().Add(time.Duration(random.IntN(int(8 * time.Second))))
			u.stall = time.Duration(random.IntN(int(2 * time.Second)))
			flight := 100 + random.IntN(500)
			for range 10_000 {
				for len(u.calls) < flight {
					require.True(t, u.ask(key(random.IntN(tokens))), "a call was refused")
				}
				u.next()
			}
			require.Zero(t, seen.opened, "%d tokens, %d in flight, answers in %v", tokens, flight, slow)
		})
	}
}

// A dead upstream is noticed within ten calls, at first and after good traffic, whether
// it fails at once or hangs. Two tokens that had good answers ask a few times more, as
// each counts what it has under way.
func TestBreaker_ADeadUpstreamOpensTheBreaker(t *testing.T) {
	random := replay.Rand(t)
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			b, seen := testBreaker()
			tokens, atOnce := 1+random.IntN(2), 1+random.IntN(3)
			for range random.IntN(200) {
				call(b, key(random.IntN(tokens)), Good)
				time.Sleep(10 * time.Millisecond)
			}
			time.Sleep(quietFor)
			most := 10 + (tokens-1)*2*(atOnce-1)
			takes := []time.Duration{0, 10 * time.Second}[random.IntN(2)]
			u := &upstreamPlayed{b: b, random: random, result: func(keyedhash.Sum) (Result, time.Duration) {
				return Unavailable, takes + time.Duration(random.IntN(int(time.Millisecond)))
			}}
			for n := 0; !seen.open; {
				for len(u.calls) < atOnce && u.ask(key(n%tokens)) {
					n++
				}
				require.LessOrEqual(t, n, most, "%d tokens, %d at once, %v", tokens, atOnce, takes)
				u.next()
			}
		})
	}
}

// One token that fails among good ones is left alone by itself.
func TestBreaker_OneTokensFailuresAreItsOwn(t *testing.T) {
	random := replay.Rand(t)
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			b, seen := testBreaker()
			good, every := 1+random.IntN(3), time.Duration(1+random.IntN(3000))*time.Millisecond
			inARow := make([]int, good+1) // failures of the good ones: two at most
			for i := 1; i <= good; i++ {
				call(b, key(i), Good)
			}
			for range 300 {
				for range random.IntN(20) {
					call(b, key(0), []Result{Unavailable, TimedOut}[random.IntN(2)])
				}
				time.Sleep(every)
				for i := 1; i <= good; i++ {
					r := Good
					if inARow[i]++; random.IntN(10) > 0 || inARow[i] > 2 {
						inARow[i] = 0
					} else {
						r = Unavailable
					}
					require.True(t, call(b, key(i), r), "%v between the calls of a good token", every)
				}
				require.False(t, seen.open, "%v between the calls of %d good tokens", every, good)
			}
			assert.Equal(t, 1, seen.tokens)
		})
	}
}

func TestBreaker_TokensThatFailAlikeOpenForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, seen := testBreaker()
		for i := range 50 {
			call(b, key(i), Good)
		}
		time.Sleep(quietFor)
		for i := range 50 {
			call(b, key(i), TimedOut)
		}
		assert.True(t, seen.open)
		assert.False(t, call(b, key(99), Good), "a token that is new")
		assert.Zero(t, seen.tokens, "none has failed enough by itself")
		time.Sleep(2 * probeEvery)
		assert.True(t, call(b, key(99), Good))
		assert.False(t, seen.open)
	})
}

// Where but one token asks, its failures open for all, until another one fares better.
func TestBreaker_AnotherTokenMayFareBetter(t *testing.T) {
	for _, better := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			b, seen := testBreaker()
			for range failuresInARow {
				call(b, key(1), Unavailable)
			}
			require.True(t, seen.open)
			assert.Zero(t, b.Remaining(key(2)))
			if better {
				assert.True(t, call(b, key(2), Good))
				assert.False(t, seen.open)
				assert.True(t, call(b, key(2), Good))
			} else {
				assert.True(t, call(b, key(2), Unavailable))
				assert.True(t, seen.open)
				assert.False(t, call(b, key(2), Good))
				assert.Positive(t, b.Remaining(key(3)))
			}
			assert.False(t, call(b, key(1), Good), "the one that failed")
		})
	}
}

func TestBreaker_TheBreakersTokensAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, seen := testBreaker()
		under, _ := b.Admit(key(0))
		call(b, key(1), Good)
		for range failuresInARow {
			call(b, key(0), Unavailable)
			time.Sleep(quietFor)
		}
		for i := range 2 * b.max {
			call(b, key(100+i), Good)
		}
		assert.LessOrEqual(t, len(b.tokens), b.max)
		assert.Equal(t, len(b.tokens), b.recent.Len())
		assert.NotNil(t, b.tokens[key(0)], "one that has a call under way")
		assert.Nil(t, b.tokens[key(1)])
		b.Record(under, Cancelled)
		time.Sleep(2 * tokenIdle)
		for i := range b.max {
			call(b, key(i%3), Good)
		}
		for i := range b.max {
			call(b, key(100_000+i), Good)
		}
		assert.Equal(t, b.max, len(b.tokens))
		assert.Zero(t, seen.tokens)
	})
}

// upstreamPlayed is one whose calls end when it is their time.
type upstreamPlayed struct {
	b       *Breaker
	random  interface{ IntN(int) int }
	result  func(keyedhash.Sum) (Result, time.Duration)
	stallAt time.Time // no good answer comes from then on
	stall   time.Duration
	calls   []callPlayed
}

type callPlayed struct {
	permit *Permit
	result Result
	ends   time.Time
}

func (u *upstreamPlayed) ask(token keyedhash.Sum) bool {
	p, wait := u.b.Admit(token)
	if wait > 0 {
		return false
	}
	r, takes := u.result(token)
	ends := time.Now().Add(takes)
	if over := u.stallAt.Add(u.stall); r == Good && ends.After(u.stallAt) && ends.Before(over) {
		ends = over.Add(time.Duration(u.random.IntN(int(10 * time.Millisecond))))
	}
	u.calls = append(u.calls, callPlayed{p, r, ends})
	return true
}

// next has the next call end.
func (u *upstreamPlayed) next() {
	if len(u.calls) == 0 {
		return
	}
	first := 0
	for i, c := range u.calls {
		if c.ends.Before(u.calls[first].ends) {
			first = i
		}
	}
	c := u.calls[first]
	u.calls[first] = u.calls[len(u.calls)-1]
	u.calls = u.calls[:len(u.calls)-1]
	time.Sleep(time.Until(c.ends))
	u.b.Record(c.permit, c.result)
}

func TestBreaker_RateLimitsAreBounded(t *testing.T) {
	limits, keys := NewRateLimits(), keyedhash.New()
	for i := range maxLimited + 10 {
		limits.Limit(keys.Sum(fmt.Sprint(i)), time.Minute)
	}
	assert.LessOrEqual(t, len(limits.until), maxLimited)
}

// Many servers whose breakers open at the same moment do not probe at the same moment.
func TestBreaker_ProbesHaveJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := map[time.Duration]bool{}
		for range 100 {
			b, seen := testBreaker()
			for range failuresInARow {
				call(b, key(1), Unavailable)
			}
			require.True(t, seen.open)
			_, wait := b.Admit(key(1))
			waits[wait] = true
			assert.InDelta(t, probeEvery.Seconds(), wait.Seconds(), probeEvery.Seconds()/5)
		}
		assert.Greater(t, len(waits), 50)
	})
}
