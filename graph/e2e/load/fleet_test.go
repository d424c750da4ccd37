package load_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/load"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/fleet/redistest"
	"jobgraph/upstream/listtest"
)

// TestFleetPolls measures what 10,000 watched jobs of one token cost while they rest, by one
// instance alone, and by three that share Redis, each of which watches all of them. It takes ten minutes:
//
//	JOBGRAPH_BENCH=1 go test -count=1 -v -timeout 20m -run TestFleetPolls ./graph/e2e/load
func TestFleetPolls(t *testing.T) {
	if os.Getenv("JOBGRAPH_BENCH") == "" {
		t.Skip("set JOBGRAPH_BENCH=1 to run it")
	}
	program.NeedFile(t, "/proc/self/clear_refs", "only Linux tells what a process used")
	t.Log("| 10,000 watched jobs at rest | instances | calls a second | of them lists | Redis commands a second | Redis KB a second | CPU s a minute, an instance |")
	for _, byList := range []bool{true, false} {
		for _, instances := range []int{1, 3} {
			measureFleet(t, byList, instances)
		}
	}
}

func measureFleet(t *testing.T, byList bool, instances int) {
	api := &listtest.API{Pad: listPad}
	for n := range int64(10_000) {
		api.Set(listtest.Job{ID: load.MovingJob(n), Name: "1", NoPadInName: true, Status: []string{"Pending", "In Process"}[n%2], Created: time.Now()})
	}
	server := httptest.NewServer(api)
	defer server.Close()
	redis := redistest.Start(t)
	args := []string{"--max-connections-per-client", "0", fmt.Sprintf("--poll-by-list=%v", byList)}
	if instances > 1 {
		args = append(args, "--redis-url", redis.URL, "--fleet-secret", strings.Repeat("secret", 6))
	}
	var pids []int
	var lives []*load.Live
	for range instances {
		p := startProgram(t, server.URL, args...)
		pids = append(pids, p.pid)
		live := load.Subscribe(p.URL, 100, 100)
		defer live.Close()
		lives = append(lives, live)
		time.Sleep(5 * time.Second)
	}
	time.Sleep(100 * time.Second) // the intervals grow
	for _, live := range lives {
		require.GreaterOrEqual(t, live.Events(), int64(10_000))
	}
	spent := func() (seconds float64) {
		for _, pid := range pids {
			seconds += use(t, pid).cpu.Seconds()
		}
		return seconds
	}
	const period = 40
	commands, bytes, cpu := redisInfo(t, redis, "total_commands_processed"), redisInfo(t, redis, "total_net_input_bytes")+redisInfo(t, redis, "total_net_output_bytes"), spent()
	api.Asked()
	time.Sleep(period * time.Second)
	lists, infos, _ := api.Asked()
	commands, cpu = redisInfo(t, redis, "total_commands_processed")-commands, spent()-cpu
	bytes = redisInfo(t, redis, "total_net_input_bytes") + redisInfo(t, redis, "total_net_output_bytes") - bytes
	t.Logf("| by list: %v | %d | %.2f | %.2f | %.1f | %.1f | %.2f |", byList, instances, float64(len(lists)+len(infos))/period, float64(len(lists))/period,
		commands/period, bytes/period/1e3, cpu/float64(instances)*60/period)
	for _, live := range lives {
		if live.Errors() == 0 { // else states come again after errors
			require.Empty(t, live.Wrong())
		}
	}
}

// redisInfo is a number of Redis' INFO.
func redisInfo(t *testing.T, redis *redistest.Server, name string) float64 {
	t.Helper()
	text, err := redis.Do("INFO").ToString()
	require.NoError(t, err)
	_, after, _ := strings.Cut(text, "\r\n"+name+":")
	value, _, _ := strings.Cut(after, "\r\n")
	number, err := strconv.ParseFloat(value, 64)
	require.NoError(t, err, name)
	return number
}
