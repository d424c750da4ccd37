package cache

import (
	"context"
	"errors"
	"sync"

	"jobgraph/upstream"
)

// Used is what an operation was told by a cache: it says whether an answer made of
// that is still what the cache would tell. The zero value is ready.
type Used struct {
	mu      sync.Mutex
	cache   *Cache // nil: nothing was asked yet
	began   int64  // when the first job was asked, in the clock's nanoseconds
	uses    []use
	pending int
	other   bool // a failure that is not kept is among the results
	failed  bool // and one that may be gone at the next try
}

// use is a job that was asked, and what was told of it; nothing while it is pending.
type use struct {
	key key
	result
}

type usedKey struct{}

// WithUsed has every [Cache.Job] under the context written down in used.
func WithUsed(ctx context.Context, used *Used) context.Context {
	return context.WithValue(ctx, usedKey{}, used)
}

// usedFrom is nil where nobody wants to know; a nil Used takes no notes.
func usedFrom(ctx context.Context) *Used {
	used, _ := ctx.Value(usedKey{}).(*Used)
	return used
}

// look looks into the cache and writes down what it gives: both at once, so that
// nobody joins in between. n is the use's number, for end.
func (u *Used) look(c *Cache, k key, fresh bool) (kept result, n int) {
	if u == nil {
		return c.look(k, fresh), 0
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.cache == nil {
		u.cache, u.began = c, c.now()
	}
	kept = c.look(k, fresh)
	if !kept.servable() {
		u.pending++
	}
	u.uses = append(u.uses, use{k, kept})
	return kept, len(u.uses) - 1
}

// end is called with what the source gave where the cache had nothing.
func (u *Used) end(n int, r result, err error) {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pending--
	u.uses[n].result = r
	var failed *upstream.Error
	u.other = u.other || !r.servable()
	u.failed = u.failed || err != nil && (!errors.As(err, &failed) || failed.Retryable())
}

// Current says whether each job that was asked would now be told as it was, without
// an upstream call. It is false where none was asked.
func (u *Used) Current() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.uses) == 0 || u.pending > 0 || u.other {
		return false
	}
	for _, use := range u.uses {
		if !use.current(u.cache) {
			return false
		}
	}
	return true
}

// Joinable says whether whoever begins now may be given what becomes of the
// operation: it was told nothing so far that would not be told now, and it did not
// begin so long ago that something seen since may be forgotten again.
func (u *Used) Joinable() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.cache == nil {
		return true
	}
	for _, use := range u.uses {
		if use.servable() {
			if !use.current(u.cache) {
				return false
			}
		} else if kept, ok := u.cache.entries.GetIfPresent(use.key); ok && kept.ended >= u.began {
			return false // it has been told meanwhile, maybe later than what is on its way
		}
	}
	return !u.failed && u.cache.now()-u.began < int64(u.cache.shortest())
}

// Bytes is roughly the memory of the notes.
func (u *Used) Bytes() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return 64 + 64*cap(u.uses)
}

// current says whether the cache has this very result, and would serve it.
func (s use) current(c *Cache) bool { return c.look(s.key, false) == s.result }
