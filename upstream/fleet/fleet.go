// Package fleet has the instances of one fleet share, over Redis or Valkey, what each would
// otherwise fetch, poll and remember for itself. [New] is the way in.
//
// Redis is an accelerator, and never a dependency: who asks it waits 15 ms in all
// at most, a Redis that fails is skipped at once until it answers in time again, and
// nothing that it does not know, or knows wrongly, is an error. What it holds tells its
// readers nothing: see [Fleet.Key] and [Fleet.Seal].
package fleet

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// MinSecret is how many characters a fleet's secret has at least.
const MinSecret = 32

// maxPrefix bounds the prefix of the keys, in bytes.
const maxPrefix = 64

// Options are a Fleet's settings; a zero field means its default.
type Options struct {
	// URL is where Redis is: redis://user:password@host:6379/0, rediss:// for TLS, unix:// for
	// a socket. ?addr=host:port names more nodes of a cluster, ?master_set=name a sentinel's.
	URL string
	// Prefix begins each key and channel; "jobgraph:".
	Prefix string
	// Secret is the same in all instances, and nobody else's: MinSecret bytes or more.
	Secret []byte
	// MaxWait is the longest that an operation waits for Redis; 15 ms.
	MaxWait time.Duration
	// Logger hears when Redis goes away and comes back; nil: nobody.
	Logger *slog.Logger
	// Observer hears of every command; nil: nobody.
	Observer Observer
}

// Observer is told what a Fleet does, for metrics. Its methods are called from many
// goroutines. No argument holds a token, an id or a key.
type Observer interface {
	// CommandDone is told of each exchange with Redis: outcome is "OK", "ERROR" (Redis refused
	// or failed), "TIMEOUT" (nobody waited any longer) or "SKIPPED" (it was not asked).
	CommandDone(outcome string, took time.Duration)
	// Available is told when Redis begins and ceases to be asked.
	Available(available bool)
}

// Fleet is this instance's part of the fleet. It is safe for concurrent use.
type Fleet struct {
	opts   Options
	redis  rueidis.ClientOption
	seals  *seals
	client atomic.Pointer[rueidis.Client] // nil: not connected yet
	guard  *guard

	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex // closed, and ended's count going up from 0
	closed bool
	ended  sync.WaitGroup
}

// New begins to connect, and does not wait for it. It fails only for what is wrong in the
// options, which its error does not repeat. Close the fleet after use.
func New(opts Options) (*Fleet, error) {
	opts.Prefix = cmp.Or(opts.Prefix, "jobgraph:")
	opts.MaxWait = cmp.Or(opts.MaxWait, defaultMaxWait)
	opts.Logger = cmp.Or(opts.Logger, slog.New(slog.DiscardHandler))
	opts.Observer = cmp.Or[Observer](opts.Observer, nobody{})
	redis, err := parseURL(opts.URL)
	switch {
	case err != nil:
		return nil, err
	case len(opts.Secret) < MinSecret:
		return nil, errors.New("the fleet's secret must have 32 characters or more")
	}
	if err := CheckPrefix(opts.Prefix); err != nil {
		return nil, err
	}
	f := &Fleet{opts: opts, redis: redis, seals: newSeals(opts.Secret), guard: newGuard(opts.Observer, opts.MaxWait)}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.redis.DialCtxFn = f.dial(redis.DialCtxFn)
	f.goOwned(f.keep)
	return f, nil
}

// Close ends everything of the fleet, and waits for it: subscriptions, and commands under way.
func (f *Fleet) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel()
	f.ended.Wait()
	if client := f.client.Swap(nil); client != nil {
		(*client).Close()
	}
}

// Available says whether Redis is asked at this moment.
func (f *Fleet) Available() bool { return f.client.Load() != nil && f.guard.closed() }

// goOwned runs the work in a goroutine that Close waits for; it says whether it does.
func (f *Fleet) goOwned(work func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.ended.Go(work)
	return true
}

var errURL = errors.New("the Redis URL must be like redis://user:password@redis.example.com:6379/0, or rediss:// for TLS")

// CheckURL says what is wrong with the address of Redis, without repeating it: it may hold a
// password.
func CheckURL(address string) error {
	_, err := parseURL(address)
	return err
}

// CheckPrefix says what is wrong with the prefix of keys.
func CheckPrefix(prefix string) error {
	odd := func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune("{}*?[]\\", c) }
	if prefix == "" || len(prefix) > maxPrefix || strings.ContainsFunc(prefix, odd) {
		return errors.New("the prefix must have 1 to 64 characters, such as jobgraph: with no space and none of {}*?[]\\")
	}
	return nil
}

const (
	// dialTimeout bounds the making of a connection, greeting included.
	dialTimeout = 2 * time.Second
	// connTimeout is after how long without an answer a connection is given up.
	connTimeout = 2 * time.Second
)

// parseURL is rueidis', with the bounds that this program needs in place of those that the
// address may name: see the fields.
func parseURL(address string) (rueidis.ClientOption, error) {
	opts, err := rueidis.ParseURL(address)
	if err != nil || len(opts.InitAddress) == 0 || opts.InitAddress[0] == "" || !strings.Contains(address, "://") {
		return opts, errURL // the error may repeat the address
	}
	opts.Dialer = net.Dialer{Timeout: dialTimeout, KeepAlive: time.Second} // it pings as often, too
	opts.ConnWriteTimeout = connTimeout
	// One attempt: the query asks the job API meanwhile.
	opts.DisableRetry = true
	// What is fresh is known by the values, and the first tier is in memory already.
	opts.DisableCache = true
	// Otherwise a command's deadline closes the connection.
	opts.AlwaysPipelining = true
	opts.ReadBufferEachConn, opts.WriteBufferEachConn = 64<<10, 64<<10
	opts.RingScaleEachConn = 9 // as many commands as may be under way
	opts.ClusterOption = rueidis.ClusterOption{ShardsRefreshInterval: 10 * time.Second, MaxMovedRedirections: 2}
	opts.Sentinel.TLSConfig = opts.TLSConfig
	opts.Sentinel.Dialer = opts.Dialer
	opts.Sentinel.TopologyRefreshInterval = 5 * time.Second
	return opts, nil
}

type nobody struct{}

func (nobody) CommandDone(string, time.Duration) {}
func (nobody) Available(bool)                    {}
