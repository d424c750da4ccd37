package fleet

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// Failures are of Redis when they go on for a while: those of one moment are this machine's.
func TestGuard_OpensByFailuresInARowOverAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(nobody{}, defaultMaxWait)
		g.set(true)
		failed := func(many int) {
			for range many {
				g.record(errSlow)
			}
		}
		failed(100)
		assert.Equal(t, 2*time.Millisecond, g.wait(), "it is asked, and not for long")
		time.Sleep(49 * time.Millisecond)
		failed(100)
		assert.True(t, g.closed())
		g.record(nil)
		assert.Equal(t, 15*time.Millisecond, g.wait())
		time.Sleep(time.Hour)
		failed(2)
		time.Sleep(49 * time.Millisecond)
		failed(1)
		assert.True(t, g.closed(), "an answer in time ended the row")
		time.Sleep(time.Millisecond)
		g.record(errors.New("the last"))
		assert.False(t, g.closed())
		assert.Zero(t, g.wait())
		assert.EqualError(t, g.reason(), "the last")
		g.record(nil)
		assert.False(t, g.closed(), "its probes close it")
	})
}

func TestGuard_TwoFailuresAreNoRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(nobody{}, defaultMaxWait)
		g.set(true)
		g.record(errSlow)
		time.Sleep(time.Minute)
		g.record(errSlow)
		assert.True(t, g.closed())
		g.record(errSlow)
		assert.False(t, g.closed())
	})
}
