package upstream

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream/http1"
)

// retries gives how long after the failures the second attempts came, where so many calls
// fail at the same moment: after a thousand good ones, so that no circuit opens.
func retries(t *testing.T, failing int) (delays []time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		attempts := map[string]int{}
		began := time.Now()
		c := played(t, func(_ context.Context, _ time.Time, query string) (http1.Response, error) {
			if !strings.Contains(query, "job_id=f") {
				return aJob, nil
			}
			mu.Lock()
			defer mu.Unlock()
			if attempts[query]++; attempts[query] == 2 {
				delays = append(delays, time.Since(began))
			}
			return http1.Response{Status: http.StatusBadGateway}, nil
		}, Options{})
		defer c.Close()
		for range 1000 {
			_, err := c.Job(t.Context(), NewRequest(canary, anID))
			require.NoError(t, err)
		}
		var calls sync.WaitGroup
		for i := range failing {
			calls.Go(func() {
				_, err := c.Job(t.Context(), NewRequest(canary, fmt.Sprintf("f%x", i)))
				assert.ErrorIs(t, err, &Error{Type: Unavailable})
			})
		}
		calls.Wait()
	})
	return delays
}

// What a thousand good calls have earned does not let all that fail try again.
func TestRetries_ReserveIsBounded(t *testing.T) {
	const failing = 100
	got := len(retries(t, failing))
	assert.LessOrEqual(t, got, 10+failing/5)
	assert.GreaterOrEqual(t, got, 10, "the reserve: what a call is worth is lost where it is full still")
}

func TestRetries_HaveJitter(t *testing.T) {
	delays := retries(t, 20)
	distinct := map[time.Duration]bool{}
	for _, delay := range delays {
		distinct[delay] = true
		assert.Less(t, delay, 50*time.Millisecond)
	}
	assert.Greater(t, len(distinct), 10, "%v", delays)
}
