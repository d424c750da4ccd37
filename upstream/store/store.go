// Package store is a TTL cache of jobs and of lists of them, keyed by token and id or query,
// with its calls in flight: callers who want the same at the same time share one call, and
// what it gave is served for as long as its state allows. [Store.Job], [Store.Jobs] and
// [Store.List] are the ways in; a [ReadSet] says whether what an operation read is still what the
// store would serve.
package store

import (
	"context"
	"crypto/sha256"
	"math"
	"sync"
	"time"

	"jobgraph/upstream"
)

// NegativeTTL is for "no such job": long enough for a page that asks in several
// operations, short enough for a job that is being made.
const NegativeTTL = time.Second

// Options are a Store's settings.
type Options struct {
	// SettledTTL is for jobs that change no more; 0: they are not cached.
	SettledTTL time.Duration
	// ActiveTTL is for all other jobs and for lists; 0: they are not cached.
	ActiveTTL time.Duration
	// MaxBytes bounds the memory of what is cached, roughly; 0 or less: 32 MiB. A list that takes
	// more than half of it is not cached.
	MaxBytes int
	// Now is for tests, in nanoseconds; nil: the system's clock.
	Now func() int64
	// ObserveHit and ObserveMiss are called for each job that was looked up and is, or is not,
	// served from the cache; nil: they are not.
	ObserveHit, ObserveMiss func()
	// ObserveCoalesced is called for each caller that joined another's call; nil: it is not.
	ObserveCoalesced func()
}

// Store stands before a source and is one itself. No failure is cached but a job that
// does not exist. It is safe for concurrent use.
//
// Lock order: a ReadSet's mutex, then the Store's. With the Store's held, only the clock is
// asked, the workers are given what to run, and who waits for a call is told of its end.
type Store struct {
	source  upstream.Source
	lists   upstream.Lister // the source, where it gives lists
	opts    Options
	workers *workers

	mu sync.Mutex
	// slots and tokens say where in pages and tokenPages a key's slot and a token are. They,
	// the pages and the records are what grows with the cache, and have no pointers: a
	// collection takes no longer for a full cache than for an empty one.
	slots      map[digest]number
	pages      pages[slot]
	tokens     map[upstream.TokenKey]number
	tokenPages pages[token]
	records    records
	apart      map[number]answer // by slot: what is not packed
	calls      map[number]*call  // by slot: who comes now joins it
	queues     [classes]queue    // of the slots with an entry, the first to expire in front
	bytes      int
	// evicted is how many entries have had to go for others.
	evicted int
	// forgotten is when the youngest call ended of those whose entries were evicted
	// while they could still be asked for by [ReadSet.Joinable].
	forgotten int64
	// turn is one more with each call that begins or ends: it orders them, which a clock
	// that stands still for a moment does not.
	turn int
	// dropped is the last turn in which a slot was answered that is forgotten by now.
	dropped int
}

// digest stands for a key, whose id may have any length. Who does not know the token's key,
// which is nobody outside this process, cannot look for two keys of one digest.
type digest [16]byte

func digestOf(key upstream.Key) digest {
	var text [128]byte
	sum := sha256.Sum256(append(append(text[:0], key.Token[:]...), key.ID...))
	return digest(sum[:len(digest{})])
}

// slot is all that is known of a key without a pointer. It lives for as long as there is an
// entry or a call under way.
type slot struct {
	digest digest
	token  number
	list   bool // the key is a list's
	entry  entry
	// A call's number is the turn in which it began. A late response never overwrites a
	// newer one: only a call with a higher number than the last that answered is stored.
	answered int
	// ended is the turn in which the last one ended that is stored: a list says something
	// new of the job only if it began after that.
	ended    int
	inFlight int

	prev, next number // in the queue of the entry's class
}

// question is what is asked of a store: a job, or a list, whose key is the request's then.
type question struct {
	upstream.Request
	list   *upstream.ListRequest
	digest digest // of the key
}

// New returns an empty store before the source. Close it after use.
func New(source upstream.Source, opts Options) *Store {
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = 32 << 20
	}
	if opts.Now == nil {
		opts.Now = func() int64 { return time.Now().UnixNano() }
	}
	if opts.ObserveHit == nil {
		opts.ObserveHit = func() {}
	}
	if opts.ObserveMiss == nil {
		opts.ObserveMiss = func() {}
	}
	if opts.ObserveCoalesced == nil {
		opts.ObserveCoalesced = func() {}
	}
	lists, _ := source.(upstream.Lister)
	return &Store{source: source, lists: lists, opts: opts, workers: newWorkers(), forgotten: math.MinInt64,
		slots: map[digest]number{}, tokens: map[upstream.TokenKey]number{}, apart: map[number]answer{}, calls: map[number]*call{}}
}

// Close cancels the calls in flight that others would join, and waits for the ends of all. What
// is asked later is still answered.
func (s *Store) Close() {
	s.mu.Lock()
	for _, call := range s.calls {
		call.Cancel()
	}
	s.workers.close()
	s.mu.Unlock()
	s.workers.wait()
}

// Job gives the cached job, or asks the source and stores what it gives.
func (s *Store) Job(ctx context.Context, r upstream.Request) (job *upstream.EncodedJob, err error) {
	s.Jobs(ctx, r, []string{r.Key.ID}, func(_ int, j *upstream.EncodedJob, e error) { job, err = j, e })
	return job, err
}

// Jobs gives each job as Job does, see [upstream.Batcher].
func (s *Store) Jobs(ctx context.Context, r upstream.Request, ids []string, each func(n int, job *upstream.EncodedJob, err error)) {
	s.read(ctx, len(ids), func(n int) (question, error) {
		r.Key.ID = ids[n]
		return question{Request: r}, r.Check()
	}, func(n int, a answer) { each(n, a.job, a.err) })
}

// Stats are what the store holds, and has evicted for lack of room so far.
type Stats struct{ Bytes, Entries, Evicted int }

// Stats counts.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := 0
	for c := range s.queues {
		entries += s.queues[c].length
	}
	return Stats{s.bytes, entries, s.evicted}
}

// Forget has nothing served any more that was fetched or is being fetched with the token.
func (s *Store) Forget(key upstream.TokenKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tokens[key]; t != 0 {
		s.tokenPages.at(t).generation++
	}
}

// served is what the store has of a key: a job's record, which nobody changes, or an answer
// that stands apart.
type served struct {
	turn   int // the entry's
	record []byte
	apart  answer
}

// answer copies a record, so that who keeps a job holds no segment.
func (f served) answer() answer {
	if f.record != nil {
		return answer{job: &upstream.EncodedJob{Record: upstream.Record(f.record)}}
	}
	return f.apart
}

// find gives what is served, or the call that the waiter waits for now; joined says that it is
// another's. A call that began before its token was refused is not joined.
func (s *Store) find(ctx context.Context, q question, w *waiter) (found served, c *call, joined bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.slots[q.digest]
	if n == 0 {
		n = s.newSlot(q.digest, q.Key)
	}
	slot := s.pages.at(n)
	if !q.Fresh && s.servable(slot) {
		return s.served(n, slot), nil, false
	}
	c = s.calls[n]
	if joined = !q.Fresh && c != nil && c.generation == s.generation(slot); joined {
		c.Join()
	} else {
		c = s.start(ctx, n, q)
	}
	w.add(c)
	return served{}, c, joined
}

func (s *Store) served(n number, slot *slot) served {
	found := served{turn: slot.entry.turn}
	if slot.entry.content == packed {
		found.record = s.records.at(slot.entry.packed)
	} else {
		found.apart = s.apart[n]
	}
	return found
}
