package tier

import (
	"context"
	"time"

	"github.com/redis/rueidis"

	"jobgraph/upstream"
)

// share writes what a call gave, and nobody waits for it. A refusal of the token is a mark
// that outlives all that was shared before. It says whether a value will be there, and the lease
// ended with it.
func (t *Tier) share(token upstream.TokenKey, s slot, v value, err error) bool {
	switch {
	case refuses(err):
		t.refuse(s.mark)
	case err != nil && v.notFound == "":
	default:
		t.noteCached(token, s.mark)
		v.ttl = t.ttl(v)
		if left := v.ttl - t.opts.Now().Sub(v.began); left >= time.Millisecond {
			return t.put(s, v, left)
		}
	}
	return false
}

// refuses says whether an error refuses the token itself, whatever was asked.
func refuses(err error) bool {
	failed := upstream.ErrorOf(err)
	return failed != nil && (failed.RefusesToken() || failed.Type == upstream.LoginInvalid)
}

// newest writes a value unless a younger one is there, and tells who waits for it: the values begin
// with the moment of their calls, in digits. What has no end, or no such digits, is not one of ours.
var newest = rueidis.NewLuaScript(done + `
done()
local there = redis.pcall('GETRANGE', KEYS[1], 0, 15)
if type(there) == 'string' and #there == 16 and not there:find('[^0-9a-f]')
	and there > string.sub(ARGV[1], 1, 16) and redis.call('PTTL', KEYS[1]) > 0 then
	return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)

func (t *Tier) put(s slot, v value, left time.Duration) bool {
	size := v.size()
	if size > s.max {
		return false
	}
	return t.fleet.Later(size, func(ctx context.Context, redis rueidis.Client) error {
		sealed := t.encode(s.key, v)
		if len(sealed) > s.max {
			return nil
		}
		return newest.Exec(ctx, redis, []string{s.key, s.lease}, []string{rueidis.BinaryString(sealed), milliseconds(left)}).Error()
	})
}
