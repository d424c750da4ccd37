// Package poll polls jobs and publishes their changes, which the job API cannot: one
// [Poller] asks once for all subscribers of the same job with the same token, and no more
// often than the job's schedule needs. [Poller.Watch] is the way in.
//
// It knows nothing of GraphQL and nothing of connections.
package poll

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"jobgraph/upstream"
)

// ErrTooMany is [Poller.Watch]'s error where Options.MaxJobs are watched already.
var ErrTooMany = errors.New("too many jobs are being watched")

// Options are the settings of a Poller; a zero field means its default.
type Options struct {
	// Interval is the time between two polls of a job that has just changed or is
	// nearly due; 2 s.
	Interval time.Duration
	// MaxInterval is what the time grows to while a job rests; 30 s.
	MaxInterval time.Duration
	// MaxJobs bounds the pairs of token and job that are watched at once; 20,000.
	MaxJobs int
	// ByList has the jobs of one token looked at by lists where that costs less, if the
	// source gives lists.
	ByList bool
	// ObservePoll is called for each poll, of a job or of a list; nil: it is not.
	ObservePoll func()
	// Fleet is what is shared with other instances; nil: this process polls for itself.
	Fleet Fleet
	// Logger hears of panics in the source; nil: nobody.
	Logger *slog.Logger
}

// Wakes are bounded twice: a job is polled no more often than wakeGap lets it,
// and the process wakes no more than wakesPerSecond jobs, however many callbacks
// come. What is refused is lost, and the next poll finds it. The process tells the fleet of
// as many callbacks a second.
const (
	wakeGap        = time.Second
	wakesPerSecond = 100
)

// Poller polls all watched jobs of the process. It is safe for concurrent use.
type Poller struct {
	source    upstream.Source
	operation *upstream.Operation // all pollers are one: however many there are, a query gets its turn
	bounds    bounds
	maxJobs   int
	logger    *slog.Logger
	observe   func()
	wakes     *rate.Limiter
	lists     upstream.Lister // nil: no job is looked at by lists
	turn      atomic.Int64    // one more whenever a look begins or ends
	fleet     Fleet           // nil: none
	toldWakes *rate.Limiter
	members   sync.WaitGroup

	leases, takeovers, published, received, fleetWakes atomic.Int64

	mu     sync.Mutex
	tokens map[upstream.TokenKey]*tokenJobs
	jobs   map[upstream.Key]*watchedJob
	byID   map[string]map[*watchedJob]struct{} // by lower-case id, for wakes
	closed bool                                // nothing is shared any more
	here   int                                 // jobs with subscribers of this instance
}

// New returns a Poller of nothing yet. It has no goroutine of its own:
// each watched job has one, which ends with the job's last subscriber.
func New(source upstream.Source, opts Options) *Poller {
	interval := cmp.Or(opts.Interval, 2*time.Second)
	if opts.ObservePoll == nil {
		opts.ObservePoll = func() {}
	}
	var lists upstream.Lister
	if opts.ByList {
		lists, _ = source.(upstream.Lister)
	}
	w := &Poller{
		fleet:     opts.Fleet,
		toldWakes: rate.NewLimiter(wakesPerSecond, wakesPerSecond),
		source:    source,
		lists:     lists,
		tokens:    map[upstream.TokenKey]*tokenJobs{},
		observe:   opts.ObservePoll,
		operation: new(upstream.Operation),
		bounds:    bounds{interval, max(interval, cmp.Or(opts.MaxInterval, 30*time.Second))},
		maxJobs:   cmp.Or(opts.MaxJobs, 20_000),
		logger:    cmp.Or(opts.Logger, slog.New(slog.DiscardHandler)),
		wakes:     rate.NewLimiter(wakesPerSecond, wakesPerSecond),
		jobs:      map[upstream.Key]*watchedJob{},
		byID:      map[string]map[*watchedJob]struct{}{},
	}
	if w.fleet != nil {
		w.fleet.OnWake(func(id string) {
			w.fleetWakes.Add(1)
			w.wake(id)
		})
	}
	return w
}

// Watch sends the state of each job, then each change. A state is a
// [*upstream.EncodedJob] or an [*upstream.Error]. The channel is closed when all jobs
// have settled or ctx is done. A reader that is slow gets the latest state and
// misses those before it. The error is [ErrTooMany].
func (w *Poller) Watch(ctx context.Context, token string, ids []string) (<-chan upstream.Result, error) {
	return w.WatchAs(ctx, token, ids, func(state upstream.Result) upstream.Result { return state })
}

// WatchAs is Watch that sends for each state what show makes of it.
func (w *Poller) WatchAs(ctx context.Context, token string, ids []string, show func(upstream.Result) upstream.Result) (<-chan upstream.Result, error) {
	s := newSubscriber()
	if err := w.subscribe(s, token, ids); err != nil {
		return nil, err
	}
	out := make(chan upstream.Result)
	go func() {
		defer close(out)
		defer w.unsubscribe(s)
		s.deliver(ctx, out, show)
	}()
	return out, nil
}

// Wake has the job polled now, with every token that it is watched with, by whoever of the
// fleet polls it. Whoever calls it is not believed: it moves the next poll, and does nothing else.
func (w *Poller) Wake(id string) {
	w.wake(id)
	if w.fleet != nil && w.toldWakes.Allow() {
		w.fleet.Wake(id)
	}
}

// wake has the job polled where it is this instance that polls it.
func (w *Poller) wake(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for watched := range w.byID[strings.ToLower(id)] {
		if watched.of.member.standing().follows() {
			continue
		}
		if !w.wakes.Allow() {
			return
		}
		watched.wakeUp()
	}
}

// Jobs is how many pairs of token and job are being watched by this instance's subscribers.
func (w *Poller) Jobs() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.here
}

// Close ends all polls, and waits until the leases are given up: who subscribes afterwards
// is not waited for.
func (w *Poller) Close() {
	w.mu.Lock()
	w.closed = true
	for _, watched := range w.jobs {
		w.remove(watched)
	}
	w.mu.Unlock()
	w.members.Wait()
}

// FleetStats counts.
func (w *Poller) FleetStats() FleetStats {
	return FleetStats{Leases: int(w.leases.Load()), Takeovers: w.takeovers.Load(),
		Published: w.published.Load(), Received: w.received.Load(), Wakes: w.fleetWakes.Load()}
}

// subscribe puts s on the jobs' lists, on all or, with an error, on none.
func (w *Poller) subscribe(s *subscriber, token string, ids []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	tokenKey := upstream.KeyOf(token)
	for _, id := range ids {
		k := upstream.Key{Token: tokenKey, ID: id}
		watched := w.jobs[k]
		if (watched == nil || watched.local == 0) && w.here == w.maxJobs {
			w.release(s)
			return ErrTooMany
		}
		if watched == nil {
			watched = w.start(k, token)
		}
		if watched.add(s) {
			w.count(watched, 1)
		}
	}
	return nil
}

func (w *Poller) unsubscribe(s *subscriber) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.release(s)
}

// release takes s off all lists and stops polling the jobs that nobody listens to.
func (w *Poller) release(s *subscriber) {
	for watched := range s.states {
		if watched.remove(s) == 0 {
			w.remove(watched)
		}
		w.count(watched, -1)
		if t := watched.of; t.local == 0 {
			// Nobody here has the token any more: others poll for themselves.
			w.forgetLocked(t, time.Time{})
		}
	}
}

// count notes a subscriber of this instance that came or went.
func (w *Poller) count(watched *watchedJob, change int) {
	before := watched.local
	watched.local += change
	watched.of.local += change
	if w.jobs[watched.key] == watched {
		w.here += min(watched.local, 1) - min(before, 1)
	}
}

func (w *Poller) start(k upstream.Key, token string) *watchedJob {
	ctx, cancel := context.WithCancel(context.Background())
	watched := newWatchedJob(k, cancel)
	watched.of = w.tokens[k.Token]
	if watched.of == nil {
		watched.of = &tokenJobs{token: token, key: k.Token, jobs: map[*watchedJob]struct{}{}, remotes: map[string]*remote{}}
		watched.of.ctx, watched.of.cancel = context.WithCancel(context.Background())
		w.tokens[k.Token] = watched.of
		if w.fleet != nil && !w.closed {
			watched.of.member = newMember(w, watched.of)
			w.members.Go(func() { watched.of.member.run(watched.of.ctx) })
		}
	}
	watched.of.member.watch(k.ID)
	watched.of.jobs[watched] = struct{}{}
	w.jobs[k] = watched
	lower := strings.ToLower(k.ID)
	if w.byID[lower] == nil {
		w.byID[lower] = map[*watchedJob]struct{}{}
	}
	w.byID[lower][watched] = struct{}{}
	go func() {
		defer cancel()
		watched.run(ctx, w.bounds, looks{
			join: func() *round { return w.join(watched) },
			info: func() look {
				under := watched.of.member.current(ctx)
				seen := look{at: time.Now(), under: under, began: w.turn.Add(1)}
				seen.state = w.poll(ctx, token, k)
				seen.ended = w.turn.Add(1)
				return seen
			},
			lags: func() { w.rest(watched.of) },
			turn: func() int64 { return w.turn.Add(1) },
		})
		w.mu.Lock()
		defer w.mu.Unlock()
		w.remove(watched)
	}()
	return watched
}

// remove stops polling the job: who comes later has it polled anew.
func (w *Poller) remove(watched *watchedJob) {
	watched.cancel()
	if w.jobs[watched.key] != watched {
		return
	}
	delete(w.jobs, watched.key)
	w.here -= min(watched.local, 1)
	watched.of.member.unwatch(watched.key.ID)
	delete(watched.of.jobs, watched)
	if len(watched.of.jobs) == 0 {
		watched.of.cancel()
		delete(w.tokens, watched.key.Token)
	}
	lower := strings.ToLower(watched.key.ID)
	delete(w.byID[lower], watched)
	if len(w.byID[lower]) == 0 {
		delete(w.byID, lower)
	}
}
