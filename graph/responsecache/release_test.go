package responsecache

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/budget"
)

// TestResult_ReleasedOnce is the last caller that leaves while the execution ends.
func TestResult_ReleasedOnce(t *testing.T) {
	bytes := budget.New(0, 0)
	var sending budget.Hold
	answer := sending.Open(bytes)
	require.NoError(t, answer.Reserve(100))
	require.NoError(t, answer.Acquire())
	r := &result{answer: answer}
	r.release()
	r.release()
	assert.EqualValues(t, 100, bytes.InUse(), "the response is being sent")
	sending.Close()
	assert.Zero(t, bytes.InUse())
	(&result{}).release()
}
