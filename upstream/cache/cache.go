// Package cache keeps jobs for as long as their place in life allows: one that has
// settled changes no more, one that is being worked on may change at any moment.
package cache

import (
	"cmp"
	"context"
	"time"

	"github.com/maypok86/otter/v2"

	"jobgraph/upstream"
	"jobgraph/upstream/keyedhash"
)

// notFoundFor is how long "no such job" is believed: long enough for a page that
// asks in several operations, short enough for a job that is being made.
const notFoundFor = time.Second

// Source gives one job and tells the context's [upstream.Keeper] of its calls;
// [*upstream.Client] is one.
type Source interface {
	Job(ctx context.Context, token, id string) (*upstream.Job, error)
}

// Options are a Cache's settings; a zero field means its default.
type Options struct {
	// Settled is how long a job that changes no more is kept, see [upstream.Job.Settled]; 60 s.
	Settled time.Duration
	// Active is how long any other job is kept; 1 s.
	Active time.Duration
	// Bytes bounds the memory of what is kept, roughly; 32 MiB.
	Bytes uint64
	// Clock is for tests; nil: the system's. It counts from 1970, as dates of jobs are
	// compared with it.
	Clock otter.Clock
}

// Cache stands before a Source and is one itself. No failure is kept but a job
// that does not exist. It is safe for concurrent use.
type Cache struct {
	source  Source
	opts    Options
	now     func() int64
	hash    *keyedhash.Hasher
	entries *otter.Cache[key, entry]
}

// key is made of a token and an id: it tells nothing, and what one token fetched is
// never found with another.
type key = keyedhash.Sum

// New returns an empty cache before the source. Close it after use.
func New(source Source, opts Options) *Cache {
	opts.Settled = cmp.Or(opts.Settled, time.Minute)
	opts.Active = cmp.Or(opts.Active, time.Second)
	c := &Cache{source: source, opts: opts, now: systemClock, hash: keyedhash.New()}
	if opts.Clock != nil {
		c.now = opts.Clock.NowNano
	}
	c.entries = otter.Must(&otter.Options[key, entry]{
		MaximumWeight: cmp.Or(opts.Bytes, 32<<20),
		Weigher:       func(_ key, e entry) uint32 { return e.weight() },
		// What is served no more is known for a moment still: see Used.Joinable.
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[key, entry]) time.Duration {
			return max(0, c.left(e.Value)) + c.shortest()
		}),
		Clock: opts.Clock,
	})
	return c
}

// Close ends the cache's goroutines.
func (c *Cache) Close() { c.entries.StopAllGoroutines() }

// Job gives the kept job, or asks the source and keeps what it gives.
func (c *Cache) Job(ctx context.Context, token, id string) (*upstream.Job, error) {
	key := c.hash.Sum(token, id)
	used := usedFrom(ctx)
	kept, n := used.look(c, key, upstream.IsFresh(ctx))
	if kept.servable() {
		return kept.job, kept.err()
	}
	job, err := c.source.Job(upstream.WithKeeper(ctx, &call{cache: c, key: key}), token, id)
	used.end(n, resultOf(job, err), err)
	return job, err
}

// look gives what is served for the key, nothing where the source is to be asked.
func (c *Cache) look(key key, fresh bool) result {
	if fresh {
		return result{}
	}
	kept, ok := c.entries.GetIfPresent(key)
	if !ok || c.left(kept) <= 0 {
		return result{}
	}
	return kept.result
}

// left is how much longer the entry may be served. Its time runs from when it was
// asked: a slow answer is no younger for having been slow.
func (c *Cache) left(e entry) time.Duration {
	lifetime := c.opts.Active
	switch {
	case e.job == nil:
		lifetime = notFoundFor
	case e.job.Settled(time.Unix(0, e.asked)): // not now: an entry must never come back to life
		lifetime = c.opts.Settled
	}
	return lifetime - time.Duration(c.now()-e.asked)
}

// shortest is how long anything is kept at least.
func (c *Cache) shortest() time.Duration { return min(c.opts.Active, c.opts.Settled, notFoundFor) }

func systemClock() int64 { return time.Now().UnixNano() }

// call is one call of the source, which keeps what it gives: one that began earlier
// and ends later is not told, so nothing that was seen is ever hidden.
type call struct {
	cache *Cache
	key   key
	asked int64
}

// CallBegun is upstream.Keeper's.
func (k *call) CallBegun() { k.asked = k.cache.now() }

// CallEnded is upstream.Keeper's.
func (k *call) CallEnded(job *upstream.Job, err error) {
	c := k.cache
	c.entries.Set(k.key, entry{resultOf(job, err), k.asked, c.now()})
}
