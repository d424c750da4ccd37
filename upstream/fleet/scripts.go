package fleet

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// A lease is a hash: the holder h, the fencing number f, and the number s of the states
// stored under it. The counter has the last fencing number f and the turn t, and outlives it. What is
// anything else is removed; a lease without an end is none, and so is one whose number is
// below what the caller knows: the numbers were lost, and begin above it.
var claimScript = rueidis.NewLuaScript(`
for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'hash' and kind ~= 'none' then redis.call('UNLINK', key) end
end
local function number(key, field)
  local n = tonumber(redis.call('HGET', key, field) or '') or 0
  if n ~= math.floor(n) or n < 0 or n > 2^50 then return 0 end
  return n
end
local me, known, ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local holder, fence = redis.call('HGET', KEYS[1], 'h'), number(KEYS[1], 'f')
if holder and (fence == 0 or fence < known or redis.call('PTTL', KEYS[1]) < 0) then holder = false end
if not holder then
  fence = math.max(known, fence, number(KEYS[2], 'f')) + 1
  redis.call('UNLINK', KEYS[1])
  redis.call('HSET', KEYS[1], 'h', me, 'f', fence, 's', 0)
  holder = me
end
if holder == me then redis.call('PEXPIRE', KEYS[1], ttl) end
local turn = number(KEYS[2], 't') + 1
redis.call('HSET', KEYS[2], 'f', fence, 't', turn)
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return {holder == me and 1 or 0, fence, number(KEYS[1], 's'), turn, redis.call('PTTL', KEYS[1])}
`)

var storeScript = rueidis.NewLuaScript(`
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' or redis.call('HGET', KEYS[1], 'h') ~= ARGV[1]
  or redis.call('HGET', KEYS[1], 'f') ~= ARGV[2] then return {0, 0} end
local seq = redis.call('HINCRBY', KEYS[1], 's', 1)
local state = ARGV[2] .. ' ' .. seq .. ' ' .. ARGV[3]
redis.call('SET', KEYS[2], state, 'PX', ARGV[4])
redis.call('PUBLISH', ARGV[5], ARGV[6] .. state)
return {1, seq}
`)

var releaseScript = rueidis.NewLuaScript(`
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' or redis.call('HGET', KEYS[1], 'h') ~= ARGV[1] then return 0 end
redis.call('UNLINK', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
`)

var removeScript = rueidis.NewLuaScript(`
if redis.call('TYPE', KEYS[1]).ok ~= 'string' or redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
`)

// numbers are what a script returns.
func numbers(f *Fleet, ctx context.Context, bytes int, script *rueidis.Lua, keys []string, args ...string) ([]int64, error) {
	return Run(ctx, f, bytes, func(ctx context.Context, redis rueidis.Client) ([]int64, error) {
		return script.Exec(ctx, redis, keys, args).AsIntSlice()
	})
}

func millis(d time.Duration) string { return strconv.FormatInt(max(d.Milliseconds(), 1), 10) }

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
