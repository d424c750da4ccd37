package tier

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"jobgraph/upstream"
	"jobgraph/upstream/fleet"
)

const (
	// defaultMaxJoin is how long an instance waits for another's call, from when that one began, before it makes one
	// of its own, too. The next who asks then takes the lease.
	defaultMaxJoin = time.Second
	// leaseFactor is how many times longer a lease stands: who made a call of its own, too, is told of the
	// holder's end until then.
	leaseFactor = 10
	// joinShare is the part of a request's time that such a wait takes at most.
	joinShare = 4
	// leaseCheck is between two looks whether there is the lease, and Redis, while somebody waits.
	leaseCheck = 100 * time.Millisecond
	// maxLease bounds a lease with the names of those who wait, in bytes: more than 50 instances.
	maxLease = 4096
	// tombstoneTTL is for how long nobody waits for what is too large to be shared: its lease is "-".
	tombstoneTTL = time.Minute
)

// claim takes the lease of a call, or joins its holder. A lease is the names of the channels on
// which its end is told, the holder's in front. It gives -1 where it is taken, 0 where nobody waits, and
// else for how long.
var claim = rueidis.NewLuaScript(`
local me, ttl, factor = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if redis.call('PTTL', KEYS[1]) > 0 then return 1 end -- the value has come meanwhile
local lease = redis.pcall('GETRANGE', KEYS[2], 0, ARGV[4])
local left = redis.call('PTTL', KEYS[2]) - (factor - 1) * ttl
if lease == '-' then return 0 end
if type(lease) == 'table' or #lease > tonumber(ARGV[4]) or left > ttl then lease = '' end
if lease == '' or left <= 0 then
  if lease ~= '' then lease = ' ' .. lease end
  redis.call('SET', KEYS[2], me .. lease, 'PX', factor * ttl)
  return -1
end
if string.sub(lease, 1, #me) == me then return 0 end
redis.call('APPEND', KEYS[2], ' ' .. me)
return left`)

// done ends the lease KEYS[2], and tells who waits. me is the holder that it must have, nil: any.
const done = `
local function done(me)
  local lease = redis.pcall('GETRANGE', KEYS[2], 0, 8191)
  if type(lease) == 'table' or lease == '' or lease == '-' then return end
  local holder = true
  for channel in string.gmatch(lease, '%S+') do
    if holder and me and channel ~= me then return end
    if not holder then redis.pcall('PUBLISH', channel, KEYS[2]) end
    holder = false
  end
  redis.call('UNLINK', KEYS[2])
end
`

// release is for a call that shared nothing.
var release = rueidis.NewLuaScript(done + `
done(ARGV[1])
if ARGV[2] ~= '0' then redis.call('SET', KEYS[2], '-', 'PX', ARGV[2]) end
return 1`)

// get gives what is shared, joins the call of another instance, or makes one.
func (t *Tier) get(ctx context.Context, s slot, r upstream.Request, ask ask) (value, error) {
	if r.Fresh {
		return t.fetch(ctx, s, r, false, ask)
	}
	v, outcome := t.lookup(ctx, s, r, "HIT")
	switch {
	case outcome == "HIT":
		return v, v.err(r.Key.ID)
	case outcome != "MISS" || t.maxJoin <= 0:
		return t.fetch(ctx, s, r, false, ask)
	}
	// Before the lease is asked for: the signal may come with the answer.
	signal, end := t.signals.Expect(s.lease)
	defer end()
	leased, left := t.claim(ctx, s, r)
	if left == 0 {
		return t.fetch(ctx, s, r, leased, ask)
	}
	if share := time.Until(r.Deadline) / joinShare; !r.Deadline.IsZero() {
		left = min(left, share)
	}
	if !t.wait(ctx, s, signal, left) {
		return t.race(ctx, s, r, signal, ask)
	}
	if v, outcome := t.lookup(ctx, s, r, "JOINED"); outcome == "JOINED" {
		return v, v.err(r.Key.ID)
	}
	return t.fetch(ctx, s, r, false, ask)
}

// claim takes the lease of the call that is now to be made, or says for how long another's is waited for.
func (t *Tier) claim(ctx context.Context, s slot, r upstream.Request) (leased bool, left time.Duration) {
	me := t.signals.Channel()
	if me == "" {
		return false, 0
	}
	n, err := fleet.Ask(ctx, t.fleet, r.Tally.Waits(), 0, func(ctx context.Context, redis rueidis.Client) (int64, error) {
		return claim.Exec(ctx, redis, []string{s.key, s.lease}, []string{me, milliseconds(t.maxJoin), strconv.Itoa(leaseFactor), strconv.Itoa(maxLease)}).AsInt64()
	})
	if err != nil {
		return false, 0
	}
	return n < 0, time.Duration(min(max(n, 0), t.maxJoin.Milliseconds())) * time.Millisecond
}

// wait waits for the signal, no longer than there is the lease and Redis answers; false: it did
// not come in time.
func (t *Tier) wait(ctx context.Context, s slot, signal <-chan struct{}, longest time.Duration) bool {
	timer, ticker := time.NewTimer(max(longest, time.Millisecond)), time.NewTicker(leaseCheck)
	defer timer.Stop()
	defer ticker.Stop()
	for {
		select {
		case <-signal:
			return true
		case <-ctx.Done():
			return true
		case <-ticker.C:
			left, err := fleet.Ask(ctx, t.fleet, nil, 0, func(ctx context.Context, redis rueidis.Client) (int64, error) {
				return redis.Do(ctx, redis.B().Pttl().Key(s.lease).Build()).AsInt64()
			})
			if err != nil || left <= 0 {
				return true
			}
		case <-timer.C:
			return false
		}
	}
}

// race makes a call beside another instance's, which takes long or has died: what comes
// first is given. So nothing is lost to an instance that lives, however slow the job API is.
func (t *Tier) race(ctx context.Context, s slot, r upstream.Request, signal <-chan struct{}, ask ask) (v value, err error) {
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	fetched := make(chan struct{})
	go func() {
		defer close(fetched)
		defer func() {
			if panicked := recover(); panicked != nil {
				err = upstream.PanicError(panicked)
			}
		}()
		v, err = t.fetch(own, s, r, false, ask)
	}()
	select {
	case <-fetched:
		return v, err
	case <-signal:
	}
	shared, outcome := t.lookup(ctx, s, r, "JOINED")
	if outcome == "JOINED" {
		cancel()
	}
	<-fetched
	if outcome == "JOINED" {
		return shared, shared.err(r.Key.ID)
	}
	return v, err
}

// fetch makes the call, shares what it gives, and ends the lease.
func (t *Tier) fetch(ctx context.Context, s slot, r upstream.Request, leased bool, ask ask) (value, error) {
	began := t.opts.Now()
	v, err := ask(ctx)
	v.began = began
	if !t.share(r.Key.Token, s, v, err) && leased {
		tombstone := time.Duration(0)
		if err == nil && v.size() > s.max {
			tombstone = tombstoneTTL
		}
		t.fleet.Later(0, func(ctx context.Context, redis rueidis.Client) error {
			return release.Exec(ctx, redis, []string{s.key, s.lease}, []string{t.signals.Channel(), milliseconds(tombstone)}).Error()
		})
	}
	return v, err
}
