// Package cache keeps jobs for as long as their place in life allows: one that has
// settled changes no more, one that is being worked on may change at any moment.
package cache

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/maypok86/otter/v2"

	"jobgraph/upstream"
)

// notFoundFor is how long "no such job" is believed: long enough for a page that
// asks in several operations, short enough for a job that is being made.
const notFoundFor = time.Second

// Source gives one job; [*upstream.Client] is one.
type Source interface {
	Job(ctx context.Context, token, id string) (*upstream.Job, error)
}

// Options are a Cache's settings; a zero field means its default.
type Options struct {
	// Settled is how long a job that changes no more is kept; 60 s.
	Settled time.Duration
	// Active is how long any other job is kept; 1 s.
	Active time.Duration
	// Bytes bounds the memory of what is kept, roughly; 32 MiB.
	Bytes uint64
	// Clock is for tests; nil: the system's.
	Clock otter.Clock
}

// Cache stands before a Source and is one itself. No failure is kept but a job
// that does not exist. It is safe for concurrent use.
type Cache struct {
	source  Source
	opts    Options
	now     func() int64
	secret  []byte
	entries *otter.Cache[key, entry]
}

// key is an HMAC of a token and an id under a secret of this process: it tells
// nothing, and what one token fetched is never found with another.
type key [sha256.Size]byte

// entry is what a call gave: a job, or notFound.
type entry struct {
	job      *upstream.Job
	notFound *upstream.Error
	// asked is when the call's caller began to ask, in the clock's nanoseconds:
	// what upstream said may be as old as that.
	asked int64
}

// New returns an empty cache before the source. Close it after use.
func New(source Source, opts Options) *Cache {
	opts.Settled = cmp.Or(opts.Settled, time.Minute)
	opts.Active = cmp.Or(opts.Active, time.Second)
	c := &Cache{source: source, opts: opts, now: systemClock, secret: make([]byte, sha256.Size)}
	if opts.Clock != nil {
		c.now = opts.Clock.NowNano
	}
	_, _ = rand.Read(c.secret) // it never fails: see crypto/rand
	c.entries = otter.Must(&otter.Options[key, entry]{
		MaximumWeight:    cmp.Or(opts.Bytes, 32<<20),
		Weigher:          func(_ key, e entry) uint32 { return e.weight() },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[key, entry]) time.Duration { return c.left(e.Value) }),
		Clock:            opts.Clock,
	})
	return c
}

// Close ends the cache's goroutines.
func (c *Cache) Close() { c.entries.StopAllGoroutines() }

// Job gives the kept job, or asks the source and keeps what it gives.
func (c *Cache) Job(ctx context.Context, token, id string) (*upstream.Job, error) {
	key := c.key(token, id)
	if !upstream.IsFresh(ctx) {
		if kept, ok := c.entries.GetIfPresent(key); ok && c.left(kept) > 0 {
			return kept.result()
		}
	}
	asked := c.now()
	job, err := c.source.Job(ctx, token, id)
	var failed *upstream.Error
	switch {
	case err == nil:
		c.keep(key, entry{job: job, asked: asked})
	case errors.As(err, &failed) && failed.Type == upstream.ItemNotFound:
		c.keep(key, entry{notFound: failed, asked: asked})
	case errors.As(err, &failed) && !failed.Retryable():
		// Such as a token that has expired: what it could see before is not its any more.
		c.entries.Invalidate(key)
	}
	return job, err
}

// keep stores what was asked last: an answer that comes late must not hide a
// change that somebody has seen.
func (c *Cache) keep(key key, e entry) {
	c.entries.Compute(key, func(kept entry, found bool) (entry, otter.ComputeOp) {
		switch {
		case found && kept.asked > e.asked:
			return kept, otter.CancelOp
		case c.left(e) <= 0:
			return e, otter.InvalidateOp
		default:
			return e, otter.WriteOp
		}
	})
}

func (c *Cache) key(token, id string) (k key) {
	mac := hmac.New(sha256.New, c.secret)
	mac.Write([]byte(token))
	mac.Write([]byte{0}) // neither a token nor an id holds it
	mac.Write([]byte(id))
	mac.Sum(k[:0])
	return k
}

// left is how much longer the entry may be served. Its time runs from when it was
// asked: a slow answer is no younger for having been slow.
func (c *Cache) left(e entry) time.Duration {
	lifetime := c.opts.Active
	switch {
	case e.notFound != nil:
		lifetime = notFoundFor
	case e.job.Settled():
		lifetime = c.opts.Settled
	}
	return lifetime - time.Duration(c.now()-e.asked)
}

func systemClock() int64 { return time.Now().UnixNano() }

func (e entry) result() (*upstream.Job, error) {
	if e.notFound != nil {
		return nil, e.notFound
	}
	return e.job, nil
}

// weight is roughly the entry's memory in bytes: the fixed part, and the texts
// that can be long.
func (e entry) weight() uint32 {
	bytes := 1024
	if e.job == nil {
		return uint32(bytes)
	}
	for _, target := range e.job.ReturnTargets {
		bytes += 128 + 2*len(target.Settings)
	}
	for _, option := range e.job.Options {
		bytes += 64 + len(option.Name) + len(option.Value)
	}
	for _, text := range []*string{e.job.Name, e.job.ExternalID, e.job.SourceLanguage, e.job.TargetLanguage} {
		if text != nil {
			bytes += len(*text)
		}
	}
	return uint32(bytes)
}
