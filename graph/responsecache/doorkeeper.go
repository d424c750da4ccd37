package responsecache

import (
	"encoding/binary"
	"sync/atomic"
)

// doorkeeper remembers which keys were asked for lately, 128 KiB of them: a response is
// worth its room from the second time on. What nobody asks for again would make all that
// misses the cache dearer, by the collector's work and by what is evicted for it.
type doorkeeper [1 << 14]atomic.Uint64

// again says whether the key was asked for before, unless another one took its place since.
func (d *doorkeeper) again(k key) bool {
	place, tag := binary.LittleEndian.Uint64(k[:])%uint64(len(d)), binary.LittleEndian.Uint64(k[8:])
	return d[place].Swap(tag) == tag
}
