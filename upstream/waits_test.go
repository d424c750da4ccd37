package upstream_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"jobgraph/upstream"
)

func TestWaits_ThoseAtOnceCountOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits upstream.Waits
		assert.Zero(t, waits.Begin())
		time.Sleep(2 * time.Second)
		assert.Equal(t, 2*time.Second, waits.Begin())
		time.Sleep(3 * time.Second)
		waits.End()
		waits.End()
		time.Sleep(time.Minute)
		assert.Equal(t, 5*time.Second, waits.Begin())
		time.Sleep(time.Second)
		waits.End()
		assert.Equal(t, 6*time.Second, waits.Begin())

		var none *upstream.Waits
		assert.Zero(t, none.Begin())
		none.End()
	})
}
