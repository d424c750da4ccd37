package tier

import (
	"context"
	"time"

	"github.com/redis/rueidis"

	"jobgraph/upstream"
	"jobgraph/upstream/fleet"
)

// found is what Redis has of a slot.
type found struct {
	value, mark []byte
	left        time.Duration
}

// lookup asks Redis, in one round trip. What it gives is "HIT" or "JOINED" with a value, and whatever
// is wrong with the answer, or with Redis, is none.
func (t *Tier) lookup(ctx context.Context, s slot, r upstream.Request, hit string) (value, string) {
	got, err := fleet.Ask(ctx, t.fleet, r.Tally.Waits(), s.max, func(ctx context.Context, redis rueidis.Client) (found, error) {
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
	default:
		refused := t.refusedAt(s.mark, got.mark)
		if got.value == nil {
			break
		}
		outcome = "INVALID"
		if v, err = t.accept(s, got, refused); err == nil {
			outcome = hit
		}
	}
	t.opts.ObserveLookup(outcome)
	if outcome != hit {
		return value{}, outcome
	}
	t.noteCached(r.Key.Token, s.mark)
	if r.Began != nil {
		*r.Began = v.began.UnixNano()
	}
	return v, hit
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
func (t *Tier) accept(s slot, got found, refused int64) (value, error) {
	v, err := t.decode(s.key, got.value)
	if err != nil {
		return v, err
	}
	if (v.list != nil) != s.list {
		return v, errForeign
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
	case now.Sub(v.began) >= ttl, v.began.UnixNano() <= refused:
		return v, errExpired
	}
	return v, nil
}
