package fleet

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"jobgraph/upstream"
	"jobgraph/upstream/keyedhash"
	"jobgraph/upstream/policy"
)

const (
	// longestPause bounds a pause that another instance tells of, and maxPauses those that an
	// instance which comes later is told.
	longestPause = 5 * time.Minute
	maxPauses    = 1000
	// pauseSlack is by how much a pause must be longer than what is known already, to be news:
	// calls under way at the same time are all told to wait.
	pauseSlack = 500 * time.Millisecond
)

// Pauses are which callers the job API told to wait, for all instances: an
// [upstream.Pauses]. Callers are told apart by HMACs under the fleet's secret.
type Pauses struct {
	fleet    *Fleet
	identity func(upstream.Request) (identity []string, ok bool)
	upstream string
	channel  string
	key      string
	limits   *policy.RateLimits
	any      atomic.Bool // limits has had one: before, no HMAC is made
	heard    atomic.Int64
}

// SharePauses listens to the others until the fleet is closed. The identity tells callers apart, the
// same in all instances; not ok: the request's pause is told to nobody.
func SharePauses(f *Fleet, upstream string, identity func(upstream.Request) (identity []string, ok bool)) *Pauses {
	p := &Pauses{fleet: f, identity: identity, upstream: upstream, channel: f.Key("paused", upstream), key: f.Key("pauses", upstream),
		limits: policy.NewRateLimits()}
	f.Subscribe([]string{p.channel}, func(_ string, value []byte) { p.hear(value, longestPause) }, func() { f.goOwned(p.load) })
	return p
}

// Remaining is how long the request's caller has to wait; 0: not at all.
func (p *Pauses) Remaining(r upstream.Request) time.Duration {
	if !p.any.Load() {
		return 0
	}
	caller, ok := p.caller(r)
	if !ok {
		return 0
	}
	return p.limits.Remaining(caller)
}

// Limit tells all instances that the request's caller has to wait.
func (p *Pauses) Limit(r upstream.Request, wait time.Duration) {
	caller, ok := p.caller(r)
	if !ok || !p.limit(caller, wait) {
		return
	}
	sealed := rueidis.BinaryString(p.fleet.Seal(p.channel, binary.BigEndian.AppendUint64(caller[:], uint64(wait))))
	name := base64.RawURLEncoding.EncodeToString(caller[:])
	p.fleet.Later(len(sealed), func(ctx context.Context, redis rueidis.Client) error {
		return pauseScript.Exec(ctx, redis, []string{p.key}, []string{name, sealed, millis(wait), p.channel, millis(longestPause), decimal(maxPauses)}).Error()
	})
}

// Heard is how many pauses other instances have told of.
func (p *Pauses) Heard() int64 { return p.heard.Load() }

func (p *Pauses) caller(r upstream.Request) (caller keyedhash.Sum, ok bool) {
	identity, ok := p.identity(r)
	if !ok {
		return caller, false
	}
	return p.fleet.seals.names.Sum(append([]string{"paused", p.upstream}, identity...)...), true
}

// limit has the caller wait, and says whether that was not known.
func (p *Pauses) limit(caller keyedhash.Sum, wait time.Duration) bool {
	known := p.limits.Remaining(caller)
	if wait > known {
		p.limits.Limit(caller, wait)
		p.any.Store(true)
	}
	return wait > known+pauseSlack
}

// hear learns a pause of which so much is left at most.
func (p *Pauses) hear(value []byte, left time.Duration) {
	var caller keyedhash.Sum
	if len(value) != len(caller)+8 {
		return
	}
	copy(caller[:], value)
	if p.limit(caller, min(time.Duration(binary.BigEndian.Uint64(value[len(caller):])), left)) {
		p.heard.Add(1)
	}
}

// load learns the pauses that were told before this instance listened.
func (p *Pauses) load() {
	all, err := Run(p.fleet.ctx, p.fleet, 0, func(ctx context.Context, redis rueidis.Client) ([]string, error) {
		return pausesScript.Exec(ctx, redis, []string{p.key}, nil).AsStrSlice()
	})
	if err != nil {
		return
	}
	for _, pause := range all {
		text, sealed, _ := strings.Cut(pause, " ")
		left, err := strconv.ParseInt(text, 10, 64)
		value, ok := p.fleet.Open(p.channel, []byte(sealed))
		if err == nil && ok && left > 0 && left <= longestPause.Milliseconds() {
			p.hear(value, time.Duration(left)*time.Millisecond)
		}
	}
}

// The hash has a field for each caller: when the pause ends, by the clock of Redis, and what
// was published. Where there are too many they are forgotten: who comes later is told by the job API.
var pauseScript = rueidis.NewLuaScript(`
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'none' and (kind ~= 'hash' or redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[6])) then redis.call('UNLINK', KEYS[1]) end
local time = redis.call('TIME')
local ends = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3]
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d ', ends) .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PUBLISH', ARGV[4], ARGV[2])
return 1
`)

// What is given is how much is left of each, and what was published.
var pausesScript = rueidis.NewLuaScript(`
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return {} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local pauses = {}
for _, value in ipairs(redis.call('HVALS', KEYS[1])) do
  local ends, sealed = string.match(value, '^(%d+) (.*)$')
  local left = (tonumber(ends) or 0) - now
  if left > 0 then pauses[#pauses + 1] = string.format('%d ', left) .. sealed end
end
return pauses
`)
