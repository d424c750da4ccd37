package program_test

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/fleet/redistest"
)

// watchTogether starts two instances in processes of their own; the first one that it gives
// is the job's poller, and both streams have told its first state.
func watchTogether(t *testing.T, redis *redistest.Server, api *jobAPI, args ...string) (all []*program.Program, streams []<-chan string) {
	t.Helper()
	for range 2 {
		p := program.Spawn(t, append([]string{"--upstream-url", api.URL, "--redis-url", redis.URL, "--fleet-secret", fleetSecret}, args...)...)
		isAvailable(t, p)
		all = append(all, p)
	}
	for _, p := range all {
		streams = append(streams, events(t, p.URL))
		assert.Equal(t, status("PENDING"), <-streams[len(streams)-1])
	}
	var leases [2]float64
	require.Eventually(t, func() bool {
		leases = [2]float64{all[0].Metric(t, "jobgraph_fleet_leases"), all[1].Metric(t, "jobgraph_fleet_leases")}
		return leases[0]+leases[1] == 1
	}, program.Timeout, 20*time.Millisecond, "one has the lease")
	if leases[1] == 1 { // where Redis was too slow for the other one
		slices.Reverse(all)
		slices.Reverse(streams)
	}
	return all, streams
}

const often = "100ms"

func TestFleet_AJobThatTwoInstancesWatchIsPolledByOne(t *testing.T) {
	redis, api := redistest.Start(t), newJobAPI(t)
	all, streams := watchTogether(t, redis, api, "--poll-interval", often, "--poll-max", often)
	step := func(to string) {
		api.set(`"` + to + `"`)
		for _, stream := range streams {
			require.Equal(t, status(strings.ToUpper(strings.ReplaceAll(to, " ", "_"))), <-stream)
		}
	}
	polls := func() (holder, follower float64) {
		return all[0].Metric(t, "jobgraph_polls_total"), all[1].Metric(t, "jobgraph_polls_total")
	}
	// The follower asks where this machine is slow, and it hears nothing for two turns.
	for began := time.Now(); ; {
		_, before := polls()
		for range 3 {
			step("In Process")
			step("Reviewing")
		}
		if _, follower := polls(); follower == before {
			break
		}
		require.Less(t, time.Since(began), program.Timeout, "the follower asks all the time")
	}
	step("Media Failure")
	for _, stream := range streams {
		assert.Equal(t, "", <-stream, "complete")
	}
	holder, follower := polls()
	assert.EqualValues(t, holder+follower, api.asked(), "as many calls as by one instance")
	assert.GreaterOrEqual(t, all[0].Metric(t, "jobgraph_fleet_published_total"), 4.0)
	assert.GreaterOrEqual(t, all[1].Metric(t, "jobgraph_fleet_received_total"), 2.0, "what is lost is loaded")
}

func TestFleet_WhatADeadInstancePolledIsPolledByAnother(t *testing.T) {
	redis, api := redistest.Start(t), newJobAPI(t)
	all, streams := watchTogether(t, redis, api, "--poll-interval", often)
	require.NoError(t, syscall.Kill(all[0].PID(), syscall.SIGKILL))
	assert.Error(t, all[0].Stop())
	api.set(`"In Process"`)
	assert.Equal(t, status("IN_PROCESS"), <-streams[1])
	require.Eventually(t, func() bool { // it may have asked before it had the lease
		return all[1].Metric(t, "jobgraph_fleet_leases") == 1 && all[1].Metric(t, "jobgraph_fleet_takeovers_total") > 0
	}, program.Timeout, 20*time.Millisecond)
}

// The frozen one read a state before it was frozen, and gives it to nobody after it has woken
// up: not to the fleet, and not to its own subscriber after a newer one.
func TestFleet_AFrozenInstanceTellsNothingOld(t *testing.T) {
	if os.Getenv("JOBGRAPH_REQUIRE_ALL") == "" {
		t.Skip("set JOBGRAPH_REQUIRE_ALL=1: it takes some seconds")
	}
	redis, api := redistest.Start(t), newJobAPI(t)
	all, streams := watchTogether(t, redis, api, "--poll-interval", often, "--poll-max", often)
	api.set(`"In Process"`)
	require.NoError(t, syscall.Kill(all[0].PID(), syscall.SIGSTOP))
	t.Cleanup(func() { _ = syscall.Kill(all[0].PID(), syscall.SIGCONT) })
	next := func(stream <-chan string, wanted string) {
		for state := range stream { // the frozen one may have told the first of the two before
			if state == status(wanted) {
				return
			}
			assert.Equal(t, status("IN_PROCESS"), state)
		}
	}
	next(streams[1], "IN_PROCESS")
	time.Sleep(5 * time.Second)
	api.set(`"Reviewing"`)
	next(streams[1], "REVIEWING")
	require.NoError(t, syscall.Kill(all[0].PID(), syscall.SIGCONT))
	next(streams[0], "REVIEWING")
	api.set(`"Media Failure"`)
	for _, stream := range streams {
		assert.Equal(t, status("MEDIA_FAILURE"), <-stream, "and nothing that was before")
		assert.Equal(t, "", <-stream)
	}
}

func TestFleet_ACallbackAtAnyInstanceWakesThePoller(t *testing.T) {
	redis, api := redistest.Start(t), newJobAPI(t)
	all, streams := watchTogether(t, redis, api, "--poll-interval", "1h", "--poll-max", "1h", "--callback-secret", canarySecret)
	printed, err := program.Command(t, "callback-url", "--public-url", all[1].URL, "--callback-secret", canarySecret).Output()
	require.NoError(t, err)
	address := strings.Replace(strings.TrimSpace(string(printed)), "{job_id}", watchedJob, 1)
	api.set(`"Complete", "ReturnDate": "2026-01-02T03:04:05"`)
	for range 200 { // a flood is one look
		assert.Equal(t, http.StatusNoContent, gqltest.Get(t, address).Status)
	}
	for _, stream := range streams {
		assert.Equal(t, status("COMPLETE"), <-stream)
		assert.Equal(t, "", <-stream)
	}
	assert.LessOrEqual(t, api.asked(), 4, "of 200 callbacks")
	require.Eventually(t, func() bool { return all[0].Metric(t, "jobgraph_fleet_wakes_total") > 0 }, program.Timeout, 20*time.Millisecond)
}

func TestFleet_SubscriptionsOutliveRedis(t *testing.T) {
	redis, api := redistest.Start(t), newJobAPI(t)
	all, streams := watchTogether(t, redis, api, "--poll-interval", often)
	redis.Kill()
	api.set(`"In Process"`)
	for _, stream := range streams {
		assert.Equal(t, status("IN_PROCESS"), <-stream)
	}
	redis.Restart()
	leases := func() float64 {
		return all[0].Metric(t, "jobgraph_fleet_leases") + all[1].Metric(t, "jobgraph_fleet_leases")
	}
	require.Eventually(t, func() bool { return leases() == 1 }, 4*program.Timeout, 20*time.Millisecond)
	api.set(`"Media Failure"`)
	for _, stream := range streams {
		assert.Equal(t, status("MEDIA_FAILURE"), <-stream)
		assert.Equal(t, "", <-stream)
	}
}

func TestFleet_TheDocumentedACLIsEnough(t *testing.T) {
	redis, api := redistest.Start(t), newJobAPI(t)
	rules := regexp.MustCompile(`[~&+][a-z]+(:\*)?`).FindAllString(regexp.MustCompile("`~jobgraph[^.]*`").FindString(pages(t)["graph/FLEET.md"]), -1)
	require.Greater(t, len(rules), 15)
	require.NoError(t, redis.Do(append([]string{"ACL", "SETUSER", "jobgraph", "on", ">its-own-password"}, rules...)...).Error())
	limited := *redis
	limited.URL = "redis://jobgraph:its-own-password@" + redis.Address
	all, streams := watchTogether(t, &limited, api, "--poll-interval", often)
	api.set(`"In Process"`)
	for _, stream := range streams {
		assert.Equal(t, status("IN_PROCESS"), <-stream)
	}
	require.Eventually(t, func() bool { return all[1].Metric(t, "jobgraph_fleet_received_total") > 0 }, program.Timeout, 20*time.Millisecond)
	for _, p := range all {
		assert.Zero(t, p.Metric(t, `jobgraph_fleet_command_seconds_count\{outcome="ERROR"\}`))
	}
	denied, err := redis.Do("ACL", "LOG").ToArray()
	require.NoError(t, err)
	assert.Empty(t, denied, "what was refused")
}
