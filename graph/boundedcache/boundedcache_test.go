package boundedcache_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"jobgraph/graph/boundedcache"
)

// A cache has room for so much weight, however many entries that is.
func TestNew_EntriesWeigh(t *testing.T) {
	for weight, room := range map[uint32]int{1: 1000, 10: 100, 100: 10} {
		cache := boundedcache.New(1000, func(int, string) uint32 { return weight })
		for key := range 2000 {
			cache.Set(key, "value")
		}
		cache.CleanUp()
		assert.Equal(t, room, cache.EstimatedSize(), "entries of %d", weight)
	}
}
