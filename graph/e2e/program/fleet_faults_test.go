package program_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/fleet/redistest"
)

// The tokens of the callers: what one gets must never be the other's.
var faultTokens = [2]string{canaryToken, "c0ffee01c0ffee01c0ffee01c0ffee01"}

// newMovingAPI has any job, under any of the tokens. Its name says whose it is and, as it
// moves all the time, which state it is in.
func newMovingAPI(t *testing.T) *httptest.Server {
	t.Helper()
	began := time.Now()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, id := r.URL.Query().Get("api_token"), r.URL.Query().Get("job_id")
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"JobId": %q, "JobName": "%s %s %d", "JobStatus": "In Process"}`, id, token[:8], id, time.Since(began)/(50*time.Millisecond))
	}))
	t.Cleanup(api.Close)
	return api
}

// loaded is a fleet under load: queries of cold and cached jobs, and a subscription of
// each token at each instance.
type loaded struct {
	all              []*program.Program
	rests            atomic.Bool // no query is asked
	answered, failed atomic.Int64
	slowest          atomic.Int64
	heard            [4]atomic.Int64
}

// underLoad begins the load, which ends with end.
func underLoad(t *testing.T, all ...*program.Program) (l *loaded, end func()) {
	t.Helper()
	l = &loaded{all: all}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for n := range 4 {
		running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if l.rests.Load() {
					program.Pause(ctx, 25*time.Millisecond)
					continue
				}
				id := fmt.Sprintf("%032x", 0xfeed00+i%7) // cached
				if i%3 == 0 {
					id = fmt.Sprintf("%032x", 0xfeed00000000+n<<24+i)
				}
				l.query(t, all[n%len(all)], faultTokens[n/2], id)
				program.Pause(ctx, 25*time.Millisecond)
			}
		})
		running.Go(func() { l.subscribe(ctx, t, n, all[n%len(all)], faultTokens[n/2]) })
	}
	end = sync.OnceFunc(func() { stop(); running.Wait() })
	t.Cleanup(end)
	l.goesOn(t, "the beginning")
	return l, end
}

func (l *loaded) query(t *testing.T, p *program.Program, token, id string) {
	began := time.Now()
	answer, err := gqltest.Send(gqltest.Request(t, http.MethodPost, p.URL+"/graphql",
		`{"query": "{ jobById(id: \"`+id+`\") { ... on Job { name } ... on ApiError { type comment } } }"}`,
		"Content-Type", "application/json", "Authorization", "Bearer "+token))
	l.slowest.Store(max(l.slowest.Load(), int64(time.Since(began))))
	if !assert.NoError(t, err) || !assert.Contains(t, answer.Body, `{"name":"`+token[:8]+" "+id) {
		l.failed.Add(1)
	}
	l.answered.Add(1)
}

var movingName = regexp.MustCompile(`"name":"(\w+) (\w+) (\d+)"`)

func (l *loaded) subscribe(ctx context.Context, t *testing.T, n int, p *program.Program, token string) {
	query := `subscription { jobUpdated(ids: "` + watchedJob + `") { ... on Job { name } ... on ApiError { type } } }`
	response, err := http.DefaultClient.Do(gqltest.Request(t, http.MethodGet, p.URL+"/graphql?query="+url.QueryEscape(query), "",
		"Accept", "text/event-stream", "Authorization", "Bearer "+token).WithContext(ctx))
	if !assert.NoError(t, err) {
		return
	}
	defer response.Body.Close()
	before := -1
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		said := movingName.FindStringSubmatch(data)
		if !assert.NotNil(t, said, data) {
			return
		}
		assert.Equal(t, token[:8], said[1], "whose job it is")
		state, _ := strconv.Atoi(said[3])
		assert.Greater(t, state, before, "no state goes back, and none is told twice")
		before = state
		l.heard[n].Add(1)
	}
	assert.Error(t, ctx.Err(), "the subscription goes on")
}

// goesOn waits until much was answered, and each subscription has told more.
func (l *loaded) goesOn(t *testing.T, when string) {
	t.Helper()
	l.slowest.Store(0)
	answered := l.answered.Load()
	var heard [4]int64
	for n := range heard {
		heard[n] = l.heard[n].Load()
	}
	require.Eventually(t, func() bool {
		on := l.answered.Load() >= answered+60
		for n := range heard {
			on = on && l.heard[n].Load() >= heard[n]+3
		}
		return on
	}, program.Timeout, 50*time.Millisecond, when)
	assert.Zero(t, l.failed.Load(), when)
	t.Logf("%s: %d queries, the slowest %v", when, l.answered.Load()-answered, time.Duration(l.slowest.Load()).Round(time.Millisecond))
}

// faultInstance is the built program, which Redis answers in time.
func faultInstance(t *testing.T, api *httptest.Server, redisURL string, args ...string) *program.Program {
	t.Helper()
	p := program.Spawn(t, append([]string{"--upstream-url", api.URL, "--redis-url", redisURL, "--fleet-secret", fleetSecret, "--cache-active", "300ms",
		"--poll-interval", often, "--poll-max", often, "--log-level", "info"}, args...)...)
	isAvailable(t, p)
	return p
}

// isAvailable waits until Redis is asked. Where this machine is slow, some attempts find it too slow, and there
// are up to 5 s between two.
func isAvailable(t *testing.T, p *program.Program) {
	t.Helper()
	require.Eventually(t, func() bool { return p.Metric(t, "jobgraph_fleet_available") == 1 }, 4*program.Timeout, 20*time.Millisecond)
}

// monitor is what Redis is sent, until the test ends or the server does.
func monitor(t *testing.T, address string) (sent func() string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "AUTH %s\r\nMONITOR\r\n", redistest.Password)
	require.NoError(t, err)
	var mu sync.Mutex
	var text strings.Builder
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := conn.Read(buffer)
			mu.Lock()
			text.Write(buffer[:n])
			mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return text.String()
	}
}

// requireQuiet looks for canaries, and in the log for more than that Redis is away.
func requireQuiet(t *testing.T, began time.Time, all []*program.Program, seen map[string]string) {
	t.Helper()
	minutes := int(time.Since(began).Minutes())
	for n, p := range all {
		seen[fmt.Sprintf("the log of %d", n)], seen[fmt.Sprintf("metrics of %d", n)] = p.Log(), p.Metrics(t)
		away := 0
		for line := range strings.Lines(p.Log()) {
			switch {
			case strings.Contains(line, "level=INFO"):
			case strings.Contains(line, "level=WARN") && strings.Contains(line, `"Redis does not answer in time`):
				away++
			default:
				assert.Fail(t, "a line of the log", line)
			}
		}
		assert.LessOrEqual(t, away, 1+minutes, "one line a minute")
	}
	for where, text := range seen {
		for what, canary := range map[string]string{"token": faultTokens[0], "other token": faultTokens[1], "part of a token": "c0ffee0", "watched id": watchedJob,
			"id": "feed0", "password": redistest.Password, "secret": fleetSecret} {
			assert.NotContains(t, text, canary, "%s in %s", what, where)
		}
	}
}

// garbage puts values of another type under each key.
func garbage(t *testing.T, redis *redistest.Server) {
	t.Helper()
	client := redis.Client()
	for n, key := range redis.Keys() {
		kinds := [][]string{{"SET", key, "garbage"}, {"RPUSH", key, "a"}, {"SADD", key, "a"}, {"HSET", key, "h", "x", "f", "1e99", "s", "-1", "t", "nan"},
			{"ZADD", key, "1", "a"}, {"XADD", key, "*", "a", "b"}, {"PFADD", key, "a"}, {"SETBIT", key, "99999", "1"}, {"HSET", key, "f", "9007199254740993"}}
		// At once: the programs put values under the same keys meanwhile.
		for _, answer := range client.DoMulti(t.Context(), client.B().Multi().Build(), client.B().Del().Key(key).Build(),
			client.B().Arbitrary(kinds[n%len(kinds)]...).Build(), client.B().Exec().Build()) {
			require.NoError(t, answer.Error())
		}
	}
}

// Each fault under load, at two instances: no query fails, nobody gets another's job, no
// state goes back, and Redis and the log tell nothing.
func TestFleetFaults(t *testing.T) {
	long := map[string]bool{"SlowBy20ms": true, "NothingGetsToRedis": true, "NoLongerMaster": true, "Flushed": true, "SlowBy2s": true, "NothingComesOfRedis": true, "Frozen": true, "OutOfMemory": true}
	for name, fault := range map[string]func(t *testing.T, redis *redistest.Server, ways []*redistest.Proxy) (heal func()){
		"SlowBy20ms": func(_ *testing.T, _ *redistest.Server, ways []*redistest.Proxy) func() {
			for _, way := range ways {
				way.Slow(20 * time.Millisecond)
			}
			return nil
		},
		"SlowBy2s": func(_ *testing.T, _ *redistest.Server, ways []*redistest.Proxy) func() {
			for _, way := range ways {
				way.Slow(2 * time.Second)
			}
			return nil
		},
		"NothingGetsToRedis": func(_ *testing.T, _ *redistest.Server, ways []*redistest.Proxy) func() {
			ways[0].Cut(true, false)
			return nil
		},
		"NothingComesOfRedis": func(_ *testing.T, _ *redistest.Server, ways []*redistest.Proxy) func() {
			ways[0].Cut(false, true)
			return nil
		},
		"Killed": func(_ *testing.T, redis *redistest.Server, _ []*redistest.Proxy) func() {
			redis.Kill()
			return redis.Restart
		},
		"Frozen": func(_ *testing.T, redis *redistest.Server, _ []*redistest.Proxy) func() {
			redis.Freeze()
			return redis.Thaw
		},
		"OutOfMemory": func(t *testing.T, redis *redistest.Server, _ []*redistest.Proxy) func() {
			require.NoError(t, redis.Do("CONFIG", "SET", "maxmemory", "1mb").Error())
			return func() { require.NoError(t, redis.Do("CONFIG", "SET", "maxmemory", "0").Error()) }
		},
		"Flushed": func(t *testing.T, redis *redistest.Server, _ []*redistest.Proxy) func() {
			require.NoError(t, redis.Do("FLUSHALL").Error())
			return nil
		},
		"Garbage": func(t *testing.T, redis *redistest.Server, _ []*redistest.Proxy) func() {
			garbage(t, redis)
			return nil
		},
		"NoLongerMaster": func(t *testing.T, redis *redistest.Server, _ []*redistest.Proxy) func() {
			require.NoError(t, redis.Do("REPLICAOF", "127.0.0.1", "1").Error())
			return func() { require.NoError(t, redis.Do("REPLICAOF", "NO", "ONE").Error()) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			if long[name] && os.Getenv("JOBGRAPH_REQUIRE_ALL") == "" {
				t.Skip("set JOBGRAPH_REQUIRE_ALL=1: it takes some seconds")
			}
			t.Parallel()
			began := time.Now()
			redis, api := redistest.Start(t, "--maxmemory-policy", "noeviction"), newMovingAPI(t)
			ways := []*redistest.Proxy{redis.Proxy(), redis.Proxy()}
			all := []*program.Program{faultInstance(t, api, ways[0].URL), faultInstance(t, api, ways[1].URL)}
			sent := monitor(t, redis.Address)
			l, end := underLoad(t, all...)
			l.goesOn(t, "before")
			seen := map[string]string{"Redis": redis.Dump()}
			heal := fault(t, redis, ways)
			l.goesOn(t, "during")
			for _, way := range ways {
				way.Heal()
			}
			if heal != nil {
				heal()
			}
			l.rests.Store(true) // where this machine is slow, Redis is too slow for queries again and again
			for _, p := range all {
				isAvailable(t, p)
			}
			// Again one polls for both.
			require.Eventually(t, func() bool {
				return all[0].Metric(t, "jobgraph_fleet_leases")+all[1].Metric(t, "jobgraph_fleet_leases") == 2
			}, program.Timeout, 20*time.Millisecond, "each token's jobs are polled by one again")
			l.rests.Store(false)
			l.goesOn(t, "after")
			end()
			seen["Redis after"], seen["commands"] = redis.Dump(), sent()
			require.Contains(t, seen["commands"], "jobgraph:1:")
			requireQuiet(t, began, all, seen)
		})
	}
}

// As two versions of the program are at once: nothing is shared, and nothing is wrong.
func TestFleetFaults_TwoSecretsShareNothing(t *testing.T) {
	t.Parallel()
	began := time.Now()
	redis, api := redistest.Start(t), newMovingAPI(t)
	all := []*program.Program{faultInstance(t, api, redis.URL), faultInstance(t, api, redis.URL, "--fleet-secret", strings.Repeat("another", 6))}
	l, end := underLoad(t, all...)
	l.goesOn(t, "at once")
	end()
	for _, p := range all {
		assert.EqualValues(t, 0, p.Metric(t, "jobgraph_fleet_received_total"))
		assert.EqualValues(t, 0, p.Metric(t, "jobgraph_fleet_takeovers_total"))
	}
	requireQuiet(t, began, all, map[string]string{"Redis": redis.Dump()})
}
