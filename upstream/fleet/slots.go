package fleet

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

const (
	// slotsLease is how long a share of the slots is an instance's after it asked, and
	// slotsEvery how often it asks.
	slotsLease = 2 * time.Second
	slotsEvery = 250 * time.Millisecond
	// maxMembers bounds the instances of a fleet.
	maxMembers = 1024
	// slotsLeave bounds what the end of an instance waits for Redis.
	slotsLeave = 100 * time.Millisecond
)

// Slots are the slots of this instance, such as a policy.FairQueue's.
type Slots interface {
	// Resize has so many slots from now on.
	Resize(slots int)
	// Demand is how many are held now, and how many were held and waited for at most since
	// Demand was called last.
	Demand() (held, peak int)
}

// SharedSlots has the instances share the slots that one would have. Each has a share of them, leased
// for two seconds, within which it asks nobody. The shares follow demand, and are the limit
// together: more only for a lease's length after an instance came or went, or where there are
// more instances than slots. Without Redis each instance has an even share for as many as
// it knew last.
type SharedSlots struct {
	fleet *Fleet
	slots Slots
	limit int
	key   string
	name  string // of this instance
	size  atomic.Int64

	cancel context.CancelFunc
	ended  sync.WaitGroup

	// These are of the goroutine that asks.
	members int64     // as known last
	until   time.Time // the lease's end
}

// ShareSlots shares the slots of calls of the upstream, of which there are limit in the whole
// fleet. Close it before the fleet.
func ShareSlots(f *Fleet, upstream string, limit int, slots Slots) *SharedSlots {
	s := &SharedSlots{fleet: f, slots: slots, limit: limit, key: f.Key("slots", upstream), name: rand.Text(), members: 1}
	s.resize(limit)
	ctx, cancel := context.WithCancel(f.ctx)
	s.cancel = cancel
	s.ended.Go(func() {
		for ctx.Err() == nil {
			s.renew(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(slotsEvery*4/5 + mathrand.N(slotsEvery*2/5)):
			}
		}
	})
	return s
}

// Close gives this instance's share to the others.
func (s *SharedSlots) Close() {
	s.cancel()
	s.ended.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), slotsLeave)
	defer cancel()
	_, _ = Run(ctx, s.fleet, 0, func(ctx context.Context, redis rueidis.Client) (int64, error) {
		return redis.Do(ctx, redis.B().Hdel().Key(s.key).Field(s.name).Build()).AsInt64()
	})
}

// Size is this instance's share.
func (s *SharedSlots) Size() int { return int(s.size.Load()) }

func (s *SharedSlots) resize(slots int) {
	s.size.Store(int64(slots))
	s.slots.Resize(slots)
}

// renew asks for a share. The lease is counted from before it was asked for, and so ends here no
// later than for the others.
func (s *SharedSlots) renew(ctx context.Context) {
	began := time.Now()
	held, peak := s.slots.Demand()
	ctx, cancel := context.WithTimeout(ctx, slotsLease/2)
	defer cancel()
	n, err := numbers(s.fleet, ctx, 0, slotsScript, []string{s.key}, s.name, decimal(int64(s.limit)), decimal(s.size.Load()),
		decimal(int64(held)), decimal(int64(peak)), decimal(s.members), millis(slotsLease), decimal(maxMembers))
	switch {
	case err == nil && len(n) == 2:
		s.members, s.until = min(max(n[1], 1), maxMembers), began.Add(slotsLease)
		s.resize(int(min(max(n[0], 1), int64(s.limit))))
	case ctx.Err() == context.Canceled: // the end
	case !time.Now().Before(s.until):
		s.resize(max(1, s.limit/int(s.members)))
	}
}

// The hash has a field for each instance: the slots that it may be using, those that it wants, and
// when its lease ends, by the clock of Redis. What is anything else is removed.
//
// Who wants little has it, and what is left is split evenly among the others, and, where all
// have what they want, among all. A share grows only by what nobody else may be using: an
// instance whose share is to shrink may use the former one until it asks again. One that was not there
// takes an even share at most, and not more than it has.
var slotsScript = rueidis.NewLuaScript(`
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'none' and (kind ~= 'hash' or redis.call('HLEN', KEYS[1]) > tonumber(ARGV[8])) then redis.call('UNLINK', KEYS[1]) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me, limit, size, held, peak = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local members, lease = tonumber(ARGV[6]), tonumber(ARGV[7])

local known, n, taken, wants = false, 1, 0, {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local has, want, ends = string.match(all[i + 1], '^(%d+) (%d+) (%d+)$')
  local left = (tonumber(ends) or 0) - now
  if left <= 0 or left > 10 * lease then
    redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] == me then
    known = true
  else
    n, taken = n + 1, taken + tonumber(has)
    wants[#wants + 1] = tonumber(want)
  end
end

local chunk = math.max(1, math.floor(limit / n / 8))
local want = (math.floor(peak / chunk) + 1) * chunk
wants[#wants + 1] = want
table.sort(wants)
local left, target = limit, nil
for i, w in ipairs(wants) do
  local even = left / (n - i + 1)
  if w >= even then
    target = math.min(want, math.floor(even))
    break
  end
  left = left - w
end
target = target or want + math.floor(left / n)

local share = math.min(target, math.max(size, limit - taken))
local may = math.max(share, held, size)
if not known then
  share = math.min(size, math.floor(limit / math.max(n, members)))
  may = math.max(share, held)
end
share, may = math.max(share, 1), math.max(may, 1)
redis.call('HSET', KEYS[1], me, string.format('%d %d %d', may, want, now + lease))
redis.call('PEXPIRE', KEYS[1], lease)
return {share, n}
`)
