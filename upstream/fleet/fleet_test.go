package fleet_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/fleet"
	"jobgraph/upstream/fleet/redistest"
)

const secret = "0123456789abcdef0123456789abcdef"

// eventually bounds waits for what happens by itself.
const eventually = 20 * time.Second

func open(t *testing.T, opts fleet.Options) *fleet.Fleet {
	t.Helper()
	if opts.Secret == nil {
		opts.Secret = []byte(secret)
	}
	f, err := fleet.New(opts)
	require.NoError(t, err)
	t.Cleanup(f.Close)
	return f
}

func available(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	require.Eventually(t, f.Available, eventually, time.Millisecond)
}

func get(key string) fleet.Work[string] {
	return func(ctx context.Context, c rueidis.Client) (string, error) {
		return c.Do(ctx, c.B().Get().Key(key).Build()).ToString()
	}
}

func set(key, value string) fleet.Work[string] {
	return func(ctx context.Context, c rueidis.Client) (string, error) {
		return c.Do(ctx, c.B().Set().Key(key).Value(value).Build()).ToString()
	}
}

func TestNew_WrongSettingsAreRefusedWithoutRepeatingThem(t *testing.T) {
	for _, wrong := range []fleet.Options{
		{}, {URL: "localhost:6379"}, {URL: "http://user:pass-word@host"}, {URL: "redis://user:pass-word@host:port"},
		{URL: "redis://user:pass-word@host/1/2"}, {URL: "redis://user:pass-word@host/x"}, {URL: "redis://:pass-word@%zz"},
		{URL: "redis://host", Secret: []byte("pass-word")}, {URL: "redis://host", Prefix: "pass-word{"},
	} {
		if wrong.Secret == nil {
			wrong.Secret = []byte(secret)
		}
		f, err := fleet.New(wrong)
		if assert.Error(t, err, "%+v", wrong) {
			assert.NotContains(t, err.Error(), "pass-word")
		} else {
			f.Close()
		}
	}
}

func TestNew_RedisMayBeAwayAndComeLater(t *testing.T) {
	server := redistest.Start(t)
	server.Kill()
	f := open(t, fleet.Options{URL: server.URL})
	_, err := fleet.Ask(t.Context(), f, nil, 0, get("a"))
	assert.ErrorIs(t, err, fleet.ErrSkipped)
	assert.False(t, f.Later(0, func(context.Context, rueidis.Client) error { return nil }))
	server.Restart()
	available(t, f)
	_, err = fleet.Run(t.Context(), f, 0, set("a", "b"))
	require.NoError(t, err)
}

func TestKey_IsTheSameForAllInstancesAndTellsNothing(t *testing.T) {
	one, same := open(t, fleet.Options{URL: "redis://127.0.0.1:1"}), open(t, fleet.Options{URL: "redis://127.0.0.1:1"})
	other := open(t, fleet.Options{URL: "redis://127.0.0.1:1", Secret: []byte(strings.ToUpper(secret))})
	key := one.Key("job", "token", "id")
	assert.Regexp(t, `^jobgraph:1:job:\{[A-Za-z0-9_-]{43}\}$`, key)
	assert.Equal(t, key, same.Key("job", "token", "id"))
	for _, unlike := range []string{other.Key("job", "token", "id"), one.Key("list", "token", "id"), one.Key("job", "tokeni", "d"), one.Key("job", "token", "id", "")} {
		assert.NotEqual(t, key, unlike)
	}
}

func TestSeal_AValueIsGoodForItsKeyAndSecretAlone(t *testing.T) {
	one, same := open(t, fleet.Options{URL: "redis://127.0.0.1:1"}), open(t, fleet.Options{URL: "redis://127.0.0.1:1"})
	other := open(t, fleet.Options{URL: "redis://127.0.0.1:1", Secret: []byte(strings.ToUpper(secret))})
	sealed := one.Seal("a", []byte("a value"))
	assert.NotContains(t, string(sealed), "value")
	assert.NotEqual(t, sealed, one.Seal("a", []byte("a value")), "equal values cannot be told to be")
	value, ok := same.Open("a", sealed)
	assert.True(t, ok)
	assert.Equal(t, "a value", string(value))
	_, ok = one.Open("b", sealed)
	assert.False(t, ok, "another key's")
	_, ok = other.Open("a", sealed)
	assert.False(t, ok, "another fleet's")
	for n := range sealed {
		bad := bytes.Clone(sealed)
		bad[n] ^= 1
		_, ok = one.Open("a", bad)
		assert.False(t, ok, "byte %d", n)
		_, ok = one.Open("a", sealed[:n])
		assert.False(t, ok, "%d bytes", n)
	}
}

func TestAsk_AFrozenRedisIsSkippedAfterFewFailuresAndAskedAgain(t *testing.T) {
	server := redistest.Start(t)
	counts := &counter{}
	f := open(t, fleet.Options{URL: server.URL, Observer: counts})
	available(t, f)
	server.Freeze()
	defer server.Thaw()
	before := runtime.NumGoroutine()
	var lost time.Duration
	for range 1000 {
		began := time.Now()
		_, err := fleet.Ask(t.Context(), f, nil, 0, get("a"))
		lost += time.Since(began)
		require.Error(t, err)
	}
	assert.False(t, f.Available())
	assert.Less(t, counts.of("TIMEOUT"), 200, "no more are sent than it takes to find out")
	assert.Greater(t, counts.of("SKIPPED"), 800)
	assert.Less(t, runtime.NumGoroutine()-before, 30)
	t.Log("1000 questions waited for a frozen Redis in all:", lost)
	server.Thaw()
	require.Eventually(t, func() bool { // an answer may be late where this machine is slow
		_, err := fleet.Ask(t.Context(), f, nil, 0, get("a"))
		return rueidis.IsRedisNil(err)
	}, eventually, time.Millisecond)
}

// Who asks several times, one after the other, waits no longer in all than who asks once.
func TestAsk_AnOperationWaitsOnceInAll(t *testing.T) {
	server := redistest.Start(t)
	f := open(t, fleet.Options{URL: server.URL, MaxWait: 300 * time.Millisecond})
	available(t, f)
	server.Freeze()
	defer server.Thaw()
	var waits, others upstream.Waits
	_, err := fleet.Ask(t.Context(), f, &waits, 0, get("a"))
	require.ErrorIs(t, err, fleet.ErrLate)
	_, err = fleet.Ask(t.Context(), f, &waits, 0, get("a"))
	assert.ErrorIs(t, err, fleet.ErrSkipped)
	_, err = fleet.Ask(t.Context(), f, &others, 0, get("a"))
	assert.ErrorIs(t, err, fleet.ErrLate, "another operation has a time of its own")
}

func TestAsk_RedisIsAskedAgainAfterItWasKilledUnderLoad(t *testing.T) {
	server := redistest.Start(t)
	f := open(t, fleet.Options{URL: server.URL, MaxWait: time.Second})
	available(t, f)
	load(t, f, func() {
		server.Kill()
		require.Eventually(t, func() bool { return !f.Available() }, eventually, time.Millisecond)
		server.Restart()
		available(t, f)
	})
}

// load asks from many goroutines while the test does something.
func load(t *testing.T, f *fleet.Fleet, something func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for n := range 16 {
		asking.Go(func() {
			for ctx.Err() == nil {
				_, _ = fleet.Ask(ctx, f, nil, 0, get(fmt.Sprint(n)))
				time.Sleep(time.Millisecond)
			}
		})
	}
	defer asking.Wait()
	defer stop()
	something()
}

func TestAsk_ARefusalThatIsOfOneKeyIsNoFailureOfRedis(t *testing.T) {
	server := redistest.Start(t)
	f := open(t, fleet.Options{URL: server.URL, MaxWait: eventually})
	available(t, f)
	require.NoError(t, server.Do("RPUSH", "a-list", "x").Error())
	for range 20 {
		_, err := fleet.Ask(t.Context(), f, nil, 0, get("a-list"))
		require.ErrorContains(t, err, "WRONGTYPE")
	}
	assert.True(t, f.Available())
}

func TestAsk_WhatIsUnderWayIsBoundedInBytes(t *testing.T) {
	server := redistest.Start(t)
	f := open(t, fleet.Options{URL: server.URL})
	available(t, f)
	release := make(chan struct{})
	defer close(release)
	hold := func(ctx context.Context, _ rueidis.Client) error { <-release; return nil }
	assert.True(t, f.Later(10<<20, hold))
	assert.False(t, f.Later(10<<20, hold))
	assert.True(t, f.Later(1<<20, hold), "what did not fit takes no room")
}

func TestAsk_WhatIsUnderWayIsBoundedInNumber(t *testing.T) {
	server := redistest.Start(t)
	f := open(t, fleet.Options{URL: server.URL})
	available(t, f)
	release := make(chan struct{})
	defer close(release)
	started := 0
	for range 1000 {
		if f.Later(0, func(context.Context, rueidis.Client) error { <-release; return nil }) {
			started++
		}
	}
	assert.Equal(t, 256, started)
}

func TestFleet_LogsThatRedisIsAwayOnceAndNoSecret(t *testing.T) {
	server := redistest.Start(t)
	var log syncBuffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	f := open(t, fleet.Options{URL: strings.Replace(server.URL, redistest.Password, "a-wrong-password", 1), Logger: logger})
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "WRONGPASS") }, eventually, time.Millisecond)
	assert.False(t, f.Available())
	time.Sleep(300 * time.Millisecond) // more attempts
	assert.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
	assert.NotContains(t, log.String(), "a-wrong-password")
}

func TestSubscribe_MessagesGoToAllInstancesAndGarbageToNone(t *testing.T) {
	server := redistest.Start(t)
	one, other := open(t, fleet.Options{URL: server.URL}), open(t, fleet.Options{URL: server.URL})
	available(t, one)
	available(t, other)
	channel := one.Key("news", "1")
	got, subscribed := make(chan string, 1000), make(chan struct{}, 10)
	other.Subscribe([]string{channel, other.Key("news", "2")}, func(in string, value []byte) { got <- in + string(value) }, func() { subscribed <- struct{}{} })
	await(t, subscribed)
	require.NoError(t, server.Do("PUBLISH", channel, "garbage").Error())
	// A message is lost where its connection is: it is sent until it comes.
	told := func(text string) {
		t.Helper()
		require.Eventually(t, func() bool {
			one.Publish(channel, []byte(text))
			for {
				select {
				case heard := <-got:
					assert.Contains(t, []string{channel + "hello", channel + "again"}, heard)
					if heard == channel+text {
						return true
					}
				case <-time.After(100 * time.Millisecond):
					return false
				}
			}
		}, eventually, time.Millisecond)
	}
	told("hello")
	server.Kill()
	server.Restart()
	await(t, subscribed)
	told("again")
}

func await[T any](t *testing.T, from <-chan T) (value T) {
	t.Helper()
	select {
	case value = <-from:
	case <-time.After(eventually):
		t.Fatal("nothing came")
	}
	return value
}

func TestClose_WaitsForNoRedisThatIsFrozen(t *testing.T) {
	server := redistest.Start(t)
	f := open(t, fleet.Options{URL: server.URL})
	available(t, f)
	f.Subscribe([]string{f.Key("news")}, func(string, []byte) {}, func() {})
	server.Freeze()
	defer server.Thaw()
	f.Later(0, func(ctx context.Context, c rueidis.Client) error { _, err := set("a", "b")(ctx, c); return err })
	f.Close()
	assert.False(t, f.Later(0, func(context.Context, rueidis.Client) error { return nil }))
}

// counter counts commands by their outcomes.
type counter struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *counter) CommandDone(outcome string, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[outcome]++
}

func (*counter) Available(bool) {}

func (c *counter) of(outcome string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[outcome]
}

type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Most of what it gave would come too late.
func TestAsk_ASlowRedisIsNotAsked(t *testing.T) {
	server := redistest.Start(t)
	f := open(t, fleet.Options{URL: slowly(t, server, 8*time.Millisecond)})
	for range 20 {
		_, err := fleet.Ask(t.Context(), f, nil, 0, get("a"))
		assert.ErrorIs(t, err, fleet.ErrSkipped)
		time.Sleep(10 * time.Millisecond)
	}
	assert.False(t, f.Available())
}

// slowly is the server's URL by way of a proxy that holds each answer up.
func slowly(t *testing.T, server *redistest.Server, by time.Duration) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var open sync.WaitGroup
	open.Go(func() {
		for {
			front, err := listener.Accept()
			if err != nil {
				return
			}
			back, err := net.Dial("tcp", server.Address)
			if err != nil {
				_ = front.Close()
				continue
			}
			stop := context.AfterFunc(t.Context(), func() { _, _ = front.Close(), back.Close() })
			open.Go(func() { defer stop(); _, _ = io.Copy(back, front); _ = back.Close() })
			open.Go(func() {
				defer front.Close()
				for buffer := make([]byte, 64<<10); ; {
					n, err := back.Read(buffer)
					if err != nil {
						return
					}
					time.Sleep(by)
					_, _ = front.Write(buffer[:n])
				}
			})
		}
	})
	t.Cleanup(open.Wait)
	t.Cleanup(func() { _ = listener.Close() })
	return strings.Replace(server.URL, server.Address, listener.Addr().String(), 1)
}
