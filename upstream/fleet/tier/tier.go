// Package tier is the second tier of the cache: what one instance of a fleet has fetched is
// found by all. [Tier] stands between the store, which is the first tier, and the source that
// asks the job API.
package tier

import (
	"context"
	"math"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/redis/rueidis"

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
	// maxRefused bounds the tokens that are remembered as refused.
	maxRefused = 10_000
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
	// ObserveLookup is told of each lookup: outcome is "HIT", "MISS", "INVALID" (garbage, or out
	// of date), "ERROR", "TIMEOUT" or "SKIPPED"; nil: nobody is.
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
	source API
	fleet  *fleet.Fleet
	opts   Options
	// refused has when tokens were refused here, by their marks' keys: Redis may not have
	// heard of it.
	refused *otter.Cache[string, int64]
}

// New returns a tier before the source.
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
	return &Tier{source, f, opts, otter.Must(&otter.Options[string, int64]{MaximumSize: maxRefused})}
}

// Job gives the shared job, or asks the source and shares what it gives.
func (t *Tier) Job(ctx context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	slot, ok := t.slot(r, "job", r.Key.ID, maxJob)
	if !ok || r.Check() != nil {
		return t.source.Job(ctx, r)
	}
	if !r.Fresh {
		if v, ok := t.lookup(ctx, slot, r.Began); ok && v.list == nil {
			return v.job, v.err(r.Key.ID)
		}
	}
	began := t.opts.Now()
	job, err := t.source.Job(ctx, r)
	t.share(slot, value{began: began, job: job, notFound: notFound(err)}, err)
	return job, err
}

// List gives the shared list, or asks the source and shares what it gives.
func (t *Tier) List(ctx context.Context, r upstream.ListRequest) (*upstream.List, error) {
	slot, ok := t.slot(r.Request, "list", r.ListKey().ID, maxList)
	// What a function chooses has no name.
	if !ok || r.Only != nil || r.Check() != nil {
		return t.source.List(ctx, r)
	}
	if !r.Fresh {
		if v, ok := t.lookup(ctx, slot, r.Began); ok && v.list != nil {
			return v.list, nil
		}
	}
	began := t.opts.Now()
	list, err := t.source.List(ctx, r)
	t.share(slot, value{began: began, list: list}, err)
	return list, err
}

// slot is where something is in Redis: its key, and that of its token's mark.
type slot struct {
	key, mark string
	max       int
}

func (t *Tier) slot(r upstream.Request, kind, id string, most int) (slot, bool) {
	identity, ok := t.opts.Identity(r)
	if !ok {
		return slot{}, false
	}
	parts := append([]string{upstream.Layout, t.opts.Upstream}, identity...)
	return slot{t.fleet.Key(kind, append(parts, id)...), t.fleet.Key("refused", parts...), most}, true
}

// found is what Redis has of a slot.
type found struct {
	value, mark []byte
	left        time.Duration
}

// lookup asks Redis, in one round trip. Whatever is wrong with the answer, or with Redis, is a miss.
func (t *Tier) lookup(ctx context.Context, s slot, began *int64) (value, bool) {
	got, err := fleet.Ask(ctx, t.fleet, s.max, func(ctx context.Context, redis rueidis.Client) (found, error) {
		return read(ctx, redis, s)
	})
	outcome, v := "MISS", value{}
	switch {
	case err == fleet.ErrSkipped:
		outcome = "SKIPPED"
	case err == fleet.ErrLate:
		outcome = "TIMEOUT"
	case err != nil:
		outcome = "ERROR"
	case got.value == nil:
	default:
		outcome = "INVALID"
		if v, err = t.accept(s, got); err == nil {
			outcome = "HIT"
		}
	}
	t.opts.ObserveLookup(outcome)
	if outcome != "HIT" {
		return value{}, false
	}
	if began != nil {
		*began = v.began.UnixNano()
	}
	return v, true
}

// read reads no more than a value can have, whatever somebody put there.
func read(ctx context.Context, redis rueidis.Client, s slot) (got found, err error) {
	answers := redis.DoMulti(ctx,
		redis.B().Getrange().Key(s.key).Start(0).End(int64(s.max)).Build(),
		redis.B().Pttl().Key(s.key).Build(),
		redis.B().Getrange().Key(s.mark).Start(0).End(maxMark).Build())
	for n, answer := range answers {
		if err := answer.NonRedisError(); err != nil {
			return got, err
		}
		refused := answer.Error()
		switch n {
		case 0:
			got.value, _ = answer.AsBytes()
			if refused != nil && !isWrongType(refused) {
				return got, refused
			}
			if refused != nil {
				got.value = []byte{}
			} else if len(got.value) == 0 {
				got.value = nil
			}
		case 1:
			left, _ := answer.AsInt64()
			got.left = time.Duration(left) * time.Millisecond
		case 2:
			got.mark, _ = answer.AsBytes()
			if isWrongType(refused) {
				got.mark = []byte("garbage")
			}
		}
	}
	return got, nil
}

func isWrongType(err error) bool {
	refused, ok := rueidis.IsRedisErr(err)
	return ok && len(refused.Error()) >= 9 && refused.Error()[:9] == "WRONGTYPE"
}

// accept is the value, if it may still be served. Its age is the greater one of what the
// clocks of the instances say and of what Redis says.
func (t *Tier) accept(s slot, got found) (value, error) {
	v, err := t.decode(s.key, got.value)
	if err != nil {
		return v, err
	}
	now := t.opts.Now()
	ttl := t.ttl(v)
	if got.left <= 0 || v.began.Sub(now) > maxSkew {
		return v, errExpired
	}
	if v.began.After(now) {
		v.began = now
	}
	if by := now.Add(got.left - v.ttl); by.Before(v.began) {
		v.began = by
	}
	switch {
	case now.Sub(v.began) >= ttl, v.began.UnixNano() <= t.refusedAt(s.mark, got.mark):
		return v, errExpired
	}
	return v, nil
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

// refusedAt is when the token was refused last, as far as anybody knows; what began before is
// not served. A mark that nobody can read refuses all.
func (t *Tier) refusedAt(key string, mark []byte) int64 {
	here, _ := t.refused.GetIfPresent(key)
	if len(mark) == 0 {
		return here
	}
	there, ok := t.decodeMark(key, mark)
	if !ok {
		t.fleet.Later(0, func(ctx context.Context, redis rueidis.Client) error {
			return redis.Do(ctx, redis.B().Del().Key(key).Build()).Error()
		})
		return math.MaxInt64
	}
	return max(here, there)
}

// share writes what a call gave, and nobody waits for it. A refusal of the token is a mark
// that outlives all that was shared before.
func (t *Tier) share(s slot, v value, err error) {
	switch failed := upstream.ErrorOf(err); {
	case failed != nil && (failed.RefusesToken() || failed.Type == upstream.LoginInvalid):
		t.refuse(s.mark)
	case err != nil && v.notFound == "":
	default:
		v.ttl = t.ttl(v)
		if left := v.ttl - t.opts.Now().Sub(v.began); left >= time.Millisecond {
			t.put(s, v, left)
		}
	}
}

// newest writes a value unless a younger one is there: the values begin with the moment of
// their calls, in digits. What has no end, or no such digits, is not one of ours.
var newest = rueidis.NewLuaScript(`
local there = redis.pcall('GETRANGE', KEYS[1], 0, 15)
if type(there) == 'string' and #there == 16 and not there:find('[^0-9a-f]')
	and there > string.sub(ARGV[1], 1, 16) and redis.call('PTTL', KEYS[1]) > 0 then
	return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)

func (t *Tier) put(s slot, v value, left time.Duration) {
	size := v.size()
	if size > s.max {
		return
	}
	t.fleet.Later(size, func(ctx context.Context, redis rueidis.Client) error {
		sealed := t.encode(s.key, v)
		if len(sealed) > s.max {
			return nil
		}
		return newest.Exec(ctx, redis, []string{s.key}, []string{rueidis.BinaryString(sealed), milliseconds(left)}).Error()
	})
}

func (t *Tier) refuse(mark string) {
	now := t.opts.Now().UnixNano()
	t.refused.Set(mark, now)
	outlives := max(t.opts.SettledTTL, t.opts.ActiveTTL, store.NegativeTTL) + maxSkew
	t.fleet.Later(maxMark, func(ctx context.Context, redis rueidis.Client) error {
		return newest.Exec(ctx, redis, []string{mark}, []string{rueidis.BinaryString(t.encodeMark(mark, now)), milliseconds(outlives)}).Error()
	})
}
