package fleet_test

import (
	"testing"

	"go.uber.org/goleak"
)

// The client looks at a cluster's nodes at most once a second: what waits for that ends with
// the second, whether or not the client was closed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}
