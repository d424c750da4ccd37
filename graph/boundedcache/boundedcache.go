// Package boundedcache makes the caches that forget what is used least once they are full.
package boundedcache

import "github.com/maypok86/otter/v2"

// New returns an empty cache whose entries have max bytes together, each as many as weigh
// says, roughly. It has no goroutine of its own.
func New[K comparable, V any](max uint64, weigh func(K, V) uint32) *otter.Cache[K, V] {
	return otter.Must(&otter.Options[K, V]{
		MaximumWeight: max,
		Weigher:       weigh,
		Executor:      func(work func()) { work() },
	})
}
