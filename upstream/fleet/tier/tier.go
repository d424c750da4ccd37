// Package tier is the second tier of the cache: what one instance of a fleet has fetched is
// found by all. [Tier] stands between the store, which is the first tier, and the source that
// asks the job API.
package tier

import (
	"cmp"
	"context"
	"time"

	"github.com/maypok86/otter/v2"

	"jobgraph/upstream"
	"jobgraph/upstream/fleet"
	"jobgraph/upstream/store"
)

const (
	// maxJob and maxList bound a value, in bytes: what is larger is not shared.
	maxJob  = 64 << 10
	maxList = 1 << 20
	// maxSkew is how far the clocks of instances may be apart: a value of the future is a miss.
	maxSkew = 250 * time.Millisecond
)

// Options are a Tier's settings.
type Options struct {
	// SettledTTL and ActiveTTL are the store's.
	SettledTTL, ActiveTTL time.Duration
	// Upstream is the job API's address: what one says is not found where another is asked.
	Upstream string
	// Identity tells callers apart, the same in all instances; not ok: the request passes by.
	// nil: by their tokens.
	Identity func(upstream.Request) (identity []string, ok bool)
	// Forget has the first tier serve nothing any more that was fetched with a token: another
	// instance has seen it refused. It must not wait; nil: there is none.
	Forget func(upstream.TokenKey)
	// MaxJoin is how long this instance waits for a call of another one before it makes its
	// own, too: well below what a call may take. 0: a second.
	MaxJoin time.Duration
	// ObserveLookup is told of each lookup: outcome is "HIT", "MISS", "INVALID" (garbage, or out
	// of date), "ERROR", "TIMEOUT" or "SKIPPED", or "JOINED" where another instance's call gave it; nil: nobody is.
	ObserveLookup func(outcome string)
	// Now is for tests; nil: the system's clock.
	Now func() time.Time
}

// API is the job API. [*upstream.Client] is one.
type API interface {
	upstream.Source
	upstream.Lister
}

// Tier is a source before a source. It is safe for concurrent use.
type Tier struct {
	source  API
	fleet   *fleet.Fleet
	signals *fleet.Signals
	opts    Options
	maxJoin time.Duration // 0: no call is joined
	// refused has when tokens were refused here, by their marks' keys: Redis may not have
	// heard of it.
	refused *otter.Cache[string, int64]
	tokens  *otter.Cache[string, cachedToken] // by their marks' keys, too
	// worth is how long anything is served after its call began, by any clock.
	worth    time.Duration
	refusals string // channel
}

// New returns a tier before the source. It listens to the others until the fleet is closed.
func New(source API, f *fleet.Fleet, opts Options) *Tier {
	if opts.Identity == nil {
		opts.Identity = func(r upstream.Request) ([]string, bool) { return []string{"token", r.Token}, true }
	}
	if opts.ObserveLookup == nil {
		opts.ObserveLookup = func(string) {}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Forget == nil {
		opts.Forget = func(upstream.TokenKey) {}
	}
	t := &Tier{source: source, fleet: f, signals: f.Signals(), opts: opts, refusals: f.Key("refusals"),
		// What is not shared is not waited for.
		maxJoin: min(cmp.Or(opts.MaxJoin, defaultMaxJoin), opts.ActiveTTL),
		worth:   max(opts.SettledTTL, opts.ActiveTTL, store.NegativeTTL) + maxSkew}
	t.refused = otter.Must(&otter.Options[string, int64]{MaximumSize: maxRefused})
	t.tokens = otter.Must(&otter.Options[string, cachedToken]{MaximumSize: maxTokens})
	f.Subscribe([]string{t.refusals}, t.hear, func() {})
	return t
}

// Job gives the shared job, or asks the source and shares what it gives.
func (t *Tier) Job(ctx context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	slot, ok := t.slot(r, "job", r.Key.ID, maxJob)
	if !ok || r.Check() != nil {
		return t.source.Job(ctx, r)
	}
	v, err := t.get(ctx, slot, r, func(ctx context.Context) (value, error) {
		job, err := t.source.Job(ctx, r)
		return value{job: job, notFound: notFound(err)}, err
	})
	return v.job, err
}

// List gives the shared list, or asks the source and shares what it gives.
func (t *Tier) List(ctx context.Context, r upstream.ListRequest) (*upstream.List, error) {
	slot, ok := t.slot(r.Request, "list", r.ListKey().ID, maxList)
	if !ok || r.Check() != nil {
		return t.source.List(ctx, r)
	}
	if r.Only != nil { // what a function chooses has no name
		list, err := t.source.List(ctx, r)
		if refuses(err) {
			t.refuse(slot.mark)
		}
		return list, err
	}
	v, err := t.get(ctx, slot, r.Request, func(ctx context.Context) (value, error) {
		list, err := t.source.List(ctx, r)
		return value{list: list}, err
	})
	return v.list, err
}

// ask asks the source.
type ask func(context.Context) (value, error)

// slot is where something is in Redis: its key, that of the lease of the call for it, and that of its token's mark.
type slot struct {
	key, lease, mark string
	list             bool
	max              int
}

func (t *Tier) slot(r upstream.Request, kind, id string, most int) (slot, bool) {
	identity, ok := t.opts.Identity(r)
	if !ok {
		return slot{}, false
	}
	parts := append([]string{upstream.Layout, t.opts.Upstream}, identity...)
	s := slot{mark: t.fleet.Key("refused", parts...), list: kind == "list", max: most}
	parts = append(parts, id)
	s.key, s.lease = t.fleet.Key(kind, parts...), t.fleet.Key(kind+"-call", parts...)
	return s, true
}

// ttl is as the store's.
func (t *Tier) ttl(v value) time.Duration {
	switch {
	case v.notFound != "":
		return min(store.NegativeTTL, max(t.opts.ActiveTTL, t.opts.SettledTTL))
	case v.job != nil && v.job.Settled(v.began):
		return t.opts.SettledTTL
	default:
		return t.opts.ActiveTTL
	}
}
