package load_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/load"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/listtest"
)

// listPad makes a job as large as the documented one.
const listPad = 650

// TestLists measures what pages cost the job API, and prints a table:
//
//	JOBGRAPH_BENCH=1 go test -count=1 -v -run TestLists ./graph/e2e/load
func TestLists(t *testing.T) {
	if os.Getenv("JOBGRAPH_BENCH") == "" {
		t.Skip("set JOBGRAPH_BENCH=1 to run it")
	}
	program.NeedFile(t, "/proc/self/clear_refs", "only Linux tells what a process used")
	t.Log("| jobs | first page of 20: calls | KB | walk by 100: pages | calls | MB | of the jobs' bytes | s | CPU s | peak memory |")
	for _, jobs := range []int{100, 10_000, 100_000} {
		api := &listtest.API{Pad: listPad}
		now := time.Now()
		for n := range jobs { // three years of them
			api.Set(listtest.Job{ID: fmt.Sprintf("%032x", n), Created: now.Add(-time.Duration(n) * (26_280 * time.Hour / time.Duration(jobs)))})
		}
		server := httptest.NewServer(api)
		p := startProgram(t, server.URL)
		connectionOf(t, p.URL, 20, "")
		lists, _, first := api.Asked()
		forgetPeak(t, p.pid)
		before, began := use(t, p.pid), time.Now()
		pages, walked := 0, 0
		for after := "-"; after != ""; pages++ {
			if after == "-" {
				after = ""
			}
			nodes, end := connectionOf(t, p.URL, 100, after)
			walked += nodes
			after = end
		}
		took, after := time.Since(began), use(t, p.pid)
		require.Equal(t, jobs, walked)
		calls, _, bytes := api.Asked()
		t.Logf("| %d | %d | %.0f | %d | %d | %.1f | %.2f | %.1f | %.2f | %d MiB |", jobs, len(lists), float64(first)/1e3, pages, len(calls),
			float64(bytes)/1e6, float64(bytes)/float64(jobs*(listPad+105)), took.Seconds(), (after.cpu - before.cpu).Seconds(), after.peak>>20)
		server.Close()
	}
}

// connectionOf asks for a page; end is where to go on, "" at the end.
func connectionOf(t *testing.T, url string, first int, after string) (nodes int, end string) {
	t.Helper()
	variables := map[string]any{"first": first}
	if after != "" {
		variables["after"] = after
	}
	got := gqltest.Query(t, url, `query ($first: Int, $after: String) { jobs(first: $first, after: $after) {
		nodes { id name status creationDate } pageInfo { hasNextPage endCursor } } }`, variables)
	var data struct {
		Jobs struct {
			Nodes    []struct{ ID string }
			PageInfo struct {
				HasNextPage bool
				EndCursor   string
			}
		}
	}
	require.Empty(t, got.Errors(), got.Body)
	require.NoError(t, json.Unmarshal([]byte(got.Data()), &data))
	if !data.Jobs.PageInfo.HasNextPage {
		return len(data.Jobs.Nodes), ""
	}
	return len(data.Jobs.Nodes), data.Jobs.PageInfo.EndCursor
}

// TestPollByList measures what 10,000 watched jobs of one token cost while they rest, by lists
// and by Info. It takes five minutes:
//
//	JOBGRAPH_BENCH=1 go test -count=1 -v -run TestPollByList ./graph/e2e/load
func TestPollByList(t *testing.T) {
	if os.Getenv("JOBGRAPH_BENCH") == "" {
		t.Skip("set JOBGRAPH_BENCH=1 to run it")
	}
	program.NeedFile(t, "/proc/self/clear_refs", "only Linux tells what a process used")
	t.Log("| 10,000 watched jobs at rest | calls a second | of them lists | KB a second | CPU s a minute | peak memory |")
	for _, byList := range []bool{true, false} {
		api := &listtest.API{Pad: listPad}
		for n := range int64(10_000) {
			api.Set(listtest.Job{ID: load.MovingJob(n), Name: "1", NoPadInName: true, Status: []string{"Pending", "In Process"}[n%2], Created: time.Now()})
		}
		server := httptest.NewServer(api)
		p := startProgram(t, server.URL, "--max-connections-per-client", "0", fmt.Sprintf("--poll-by-list=%v", byList))
		live := load.Subscribe(p.URL, 100, 100)
		time.Sleep(110 * time.Second) // the intervals grow
		require.GreaterOrEqual(t, live.Events(), int64(10_000))
		api.Asked()
		before := use(t, p.pid)
		forgetPeak(t, p.pid)
		time.Sleep(time.Minute)
		after := use(t, p.pid)
		lists, infos, bytes := api.Asked()
		t.Logf("| by list: %v | %.2f | %.2f | %.0f | %.2f | %d MiB |", byList, float64(len(lists)+len(infos))/60, float64(len(lists))/60,
			float64(bytes)/60e3, (after.cpu - before.cpu).Seconds(), after.peak>>20)
		if live.Errors() == 0 { // else states come again after errors
			require.Empty(t, live.Wrong())
		}
		live.Close()
		server.Close()
	}
}
