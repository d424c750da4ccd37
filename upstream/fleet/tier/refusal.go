package tier

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/redis/rueidis"

	"jobgraph/upstream"
)

const (
	// maxRefused bounds the tokens that are remembered as refused, and maxTokens those of
	// which something may be in memory: the first tier has room for about as many jobs.
	maxRefused = 10_000
	maxTokens  = 30_000
	// maxKeys bounds the keys of one such token.
	maxKeys = 16
	// refuseEvery is how often an instance tells of a token whose refusal it knows already.
	refuseEvery = time.Second
)

// The mark of a token is the moment of its last refusal, 0 for none yet. It is in Redis as long as
// something may be cached of the token anywhere: a token without one was never answered,
// and its refusal is no news.

// cachedToken is what the first tier may have of one mark's token.
type cachedToken struct {
	keys   []upstream.TokenKey // more than one where accounts are the same caller: the last maxKeys
	since  time.Time
	marked bool // Redis was told then, or is being told
}

// noteCached notes that the first tier has something of the token, and sees to its mark.
func (t *Tier) noteCached(token upstream.TokenKey, mark string) {
	now := t.opts.Now()
	if k, ok := t.tokens.GetIfPresent(mark); ok && k.marked && now.Sub(k.since) < t.worth && slices.Contains(k.keys, token) {
		return
	}
	t.tokens.Compute(mark, func(k cachedToken, _ bool) (cachedToken, otter.ComputeOp) {
		k.since, k.marked = now, true
		if !slices.Contains(k.keys, token) {
			k.keys = append(slices.Clone(k.keys[max(0, len(k.keys)+1-maxKeys):]), token)
		}
		return k, otter.WriteOp
	})
	none, ends := rueidis.BinaryString(t.encodeMark(mark, 0)), 2*t.worth
	marks := t.fleet.Later(maxMark, func(ctx context.Context, redis rueidis.Client) error {
		for _, answer := range redis.DoMulti(ctx,
			redis.B().Set().Key(mark).Value(none).Nx().Px(ends).Build(),
			redis.B().Pexpire().Key(mark).Milliseconds(ends.Milliseconds()).Build()) {
			if err := answer.Error(); err != nil && !rueidis.IsRedisNil(err) {
				t.unmarked(mark)
				return err
			}
		}
		return nil
	})
	if !marks {
		t.unmarked(mark)
	}
}

// unmarked has the next answer try again.
func (t *Tier) unmarked(mark string) {
	t.tokens.ComputeIfPresent(mark, func(k cachedToken) (cachedToken, otter.ComputeOp) {
		k.marked = false
		return k, otter.WriteOp
	})
}

// refuseScript writes a mark and publishes it, if this instance has something cached of the token
// or the mark says that another may have.
var refuseScript = rueidis.NewLuaScript(`
local there = redis.pcall('GETRANGE', KEYS[1], 0, 15)
if there == '' and ARGV[3] == '0' then return 0 end
if type(there) ~= 'string' or #there ~= 16 or there:find('[^0-9a-f]') or there <= string.sub(ARGV[1], 1, 16)
	or redis.call('PTTL', KEYS[1]) < 0 then
	redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1`)

// refuse has all instances forget the token.
func (t *Tier) refuse(mark string) {
	now := t.opts.Now().UnixNano()
	before, known := t.refused.GetIfPresent(mark)
	has := "0"
	if t.forget(mark, now) {
		has = "1"
	} else if known && now-before < int64(refuseEvery) {
		return
	}
	t.fleet.Later(2*maxMark, func(ctx context.Context, redis rueidis.Client) error {
		return refuseScript.Exec(ctx, redis, []string{mark}, []string{rueidis.BinaryString(t.encodeMark(mark, now)), milliseconds(2 * t.worth), has,
			t.refusals, rueidis.BinaryString(t.fleet.Seal(t.refusals, []byte(mark)))}).Error()
	})
}

// hear is of a mark that an instance has published. The moment is this clock's: the other
// one's may be wrong.
func (t *Tier) hear(_ string, mark []byte) { t.forget(string(mark), t.opts.Now().UnixNano()) }

// forget has nothing served any more that was fetched with the token before the moment;
// it says whether there may have been something in memory.
func (t *Tier) forget(mark string, at int64) bool {
	t.refused.Set(mark, at)
	k, was := t.tokens.Invalidate(mark)
	for _, token := range k.keys {
		t.opts.Forget(token)
	}
	return was && t.opts.Now().Sub(k.since) < 2*t.worth
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
	if there > here { // the message was lost
		t.forget(key, there)
	}
	return max(here, there)
}
