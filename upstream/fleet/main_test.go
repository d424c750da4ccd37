package fleet_test

import (
	"testing"

	"go.uber.org/goleak"
)

// The client of a cluster looks at its nodes at most once a second, and gives the connections of
// former nodes five seconds: what waits for that ends with it, whether or not the client was closed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"))
}
