package poll_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"jobgraph/upstream"
	"jobgraph/upstream/poll"
)

const (
	token = "aa11"
	jobID = "0001"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is a job API in memory: each job is what the test last set it to.
type source struct {
	mu    sync.Mutex
	jobs  map[string]upstream.Result
	polls []asked
}

type asked struct {
	token, id string
	at        time.Time
}

func (s *source) Job(_ context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	token := r.Token
	id := r.Key.ID
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polls = append(s.polls, asked{token, id, time.Now()})
	switch state := s.jobs[id].(type) {
	case *upstream.EncodedJob:
		seen := *state // decoded anew each time, as a client does
		return &seen, nil
	case *upstream.Error:
		return nil, state
	default:
		panic("CANARY")
	}
}

func (s *source) set(id string, state upstream.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.jobs == nil {
		s.jobs = map[string]upstream.Result{}
	}
	s.jobs[id] = state
}

func (s *source) seen() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]asked(nil), s.polls...)
}

func job(status upstream.JobStatus) *upstream.EncodedJob {
	return upstream.Job{ID: jobID, Status: status}.Encode()
}

func returned() *upstream.EncodedJob {
	now := time.Now()
	return upstream.Job{ID: jobID, Status: upstream.StatusComplete, ReturnDate: &now}.Encode()
}

func failed(kind upstream.ErrorType) *upstream.Error {
	return &upstream.Error{Type: kind, JobID: jobID, Comment: "no"}
}

// label is what a test reads of a state.
func label(state upstream.Result) string {
	switch state := state.(type) {
	case *upstream.EncodedJob:
		if state.ReturnDate() != nil {
			return string(state.Status()) + " returned"
		}
		return string(state.Status())
	case *upstream.Error:
		return string(state.Type)
	default:
		return "closed"
	}
}

// waiting gives what the channel has after everybody has done what they can.
func waiting(states <-chan upstream.Result) string {
	synctest.Wait()
	select {
	case state := <-states:
		return label(state)
	default:
		return "nothing"
	}
}

func TestPoller_EachChangeOnceAndThenTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set(jobID, job(upstream.StatusPending))
		states, err := poll.New(src, poll.Options{}).Watch(t.Context(), token, []string{jobID, jobID})
		require.NoError(t, err)
		assert.Equal(t, "PENDING", waiting(states))

		time.Sleep(time.Minute)
		assert.Equal(t, "nothing", waiting(states), "nothing has changed")

		for _, step := range []struct {
			state upstream.Result
			want  string
		}{
			{job(upstream.StatusInProcess), "IN_PROCESS"},
			{failed(upstream.Unavailable), "UPSTREAM_UNAVAILABLE"},
			{failed(upstream.Unavailable), "nothing"},
			{nil, "UPSTREAM_UNAVAILABLE"}, // a panic: another text
			{job(upstream.StatusInProcess), "IN_PROCESS"},
			{waitsToBeReturned(time.Now()), "COMPLETE"},
			{returned(), "COMPLETE returned"},
		} {
			src.set(jobID, step.state)
			time.Sleep(time.Minute)
			assert.Equal(t, step.want, waiting(states))
		}
		assert.Equal(t, "closed", waiting(states))
	})
}

func TestPoller_WhatSettlesAJob(t *testing.T) {
	for _, test := range []struct {
		state func() upstream.Result
		ends  bool
	}{
		{func() upstream.Result { return returned() }, true},
		{func() upstream.Result { return job(upstream.StatusMediaFailure) }, true},
		{func() upstream.Result { return failed(upstream.ItemNotFound) }, true},
		{func() upstream.Result { return failed(upstream.BadAPIToken) }, true},
		{func() upstream.Result { return job(upstream.StatusComplete) }, true}, // nobody waits for it
		{func() upstream.Result { return waitsToBeReturned(time.Now()) }, false},
		{func() upstream.Result { return waitsToBeReturned(time.Now().Add(-35*time.Minute + time.Nanosecond)) }, false},
		{func() upstream.Result { return waitsToBeReturned(time.Now().Add(-35 * time.Minute)) }, true},
		{func() upstream.Result { return failed(upstream.Timeout) }, false},
		{func() upstream.Result { return failed(upstream.RateLimited) }, false},
		{func() upstream.Result { return job(upstream.Unrecognized) }, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			src := &source{}
			src.set(jobID, test.state())
			poller := poll.New(src, poll.Options{})
			states, err := poller.Watch(t.Context(), token, []string{jobID})
			require.NoError(t, err)
			assert.Equal(t, label(test.state()), waiting(states))
			want, jobs := "nothing", 1
			if test.ends {
				want, jobs = "closed", 0
			}
			assert.Equal(t, want, waiting(states), label(test.state()))
			assert.Equal(t, jobs, poller.Jobs())
		})
	}
}

// waitsToBeReturned is complete since the moment, and has somewhere to be returned to.
func waitsToBeReturned(completed time.Time) *upstream.EncodedJob {
	return upstream.Job{ID: jobID, Status: upstream.StatusComplete, CompletedDate: &completed,
		ReturnTargets: []upstream.ReturnTarget{{Kind: "url", Settings: []byte("{}")}}}.Encode()
}

// A job that nobody could be given settles when the job API has given up, and its
// subscribers hear the end at that moment, though nothing has changed for them.
func TestPoller_AJobThatIsNeverReturnedSettlesAfter35Minutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set(jobID, waitsToBeReturned(time.Now()))
		poller := poll.New(src, poll.Options{})
		early, _ := poller.Watch(t.Context(), token, []string{jobID})
		assert.Equal(t, "COMPLETE", waiting(early))
		time.Sleep(34 * time.Minute)
		late, _ := poller.Watch(t.Context(), token, []string{jobID})
		assert.Equal(t, "COMPLETE", waiting(late))

		time.Sleep(time.Minute - time.Millisecond)
		assert.Equal(t, "nothing", waiting(early))
		assert.Equal(t, "nothing", waiting(late))
		time.Sleep(time.Millisecond)
		assert.Equal(t, "closed", waiting(early), "polled when the 35 minutes are over")
		assert.Equal(t, "closed", waiting(late))
		assert.Zero(t, poller.Jobs())

		after, _ := poller.Watch(t.Context(), token, []string{jobID})
		assert.Equal(t, "COMPLETE", waiting(after))
		assert.Equal(t, "closed", waiting(after))
	})
}

func TestPoller_ALateReturnIsSentBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		completed := time.Now().Add(-34 * time.Minute)
		src.set(jobID, waitsToBeReturned(completed))
		states, _ := poll.New(src, poll.Options{MaxInterval: 10 * time.Minute, Interval: 10 * time.Minute}).Watch(t.Context(), token, []string{jobID})
		assert.Equal(t, "COMPLETE", waiting(states))
		final := waitsToBeReturned(completed).Job()
		final.ReturnDate = new(time.Now())
		src.set(jobID, final.Encode())
		time.Sleep(time.Minute)
		assert.Equal(t, "COMPLETE returned", waiting(states), "the last poll finds it")
		assert.Equal(t, "closed", waiting(states))
	})
}

func TestPoller_OneOfTwoJobsSettlesByTimeAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set("01", waitsToBeReturned(time.Now()))
		src.set("02", job(upstream.StatusPending))
		states, _ := poll.New(src, poll.Options{}).Watch(t.Context(), token, []string{"01", "02", "01"})
		waiting(states)
		waiting(states)
		time.Sleep(time.Hour)
		assert.Equal(t, "nothing", waiting(states), "the other one is open")
		src.set("02", returned())
		time.Sleep(time.Minute)
		assert.Equal(t, "COMPLETE returned", waiting(states))
		assert.Equal(t, "closed", waiting(states))
	})
}

func TestPoller_NoIDsEndAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states, err := poll.New(&source{}, poll.Options{}).Watch(t.Context(), token, nil)
		require.NoError(t, err)
		assert.Equal(t, "closed", waiting(states))
	})
}

func TestPoller_ThousandSubscribersCostOnePoller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const subscribers = 1000
		src := &source{}
		src.set(jobID, job(upstream.StatusPending))
		poller := poll.New(src, poll.Options{MaxInterval: 2 * time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		all := make([]<-chan upstream.Result, subscribers)
		for i := range all {
			all[i], _ = poller.Watch(ctx, token, []string{jobID})
			require.Equal(t, "PENDING", waiting(all[i]))
		}
		require.Len(t, src.seen(), 1)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		assert.InDelta(t, 11, len(src.seen()), 2, "polls in 20 s at one in 2 s")

		src.set(jobID, job(upstream.StatusReviewing))
		time.Sleep(3 * time.Second)
		for _, states := range all {
			require.Equal(t, "REVIEWING", waiting(states))
		}

		cancel()
		synctest.Wait()
		polls := len(src.seen())
		time.Sleep(time.Hour)
		assert.Len(t, src.seen(), polls, "nobody listens any more")
		assert.Zero(t, poller.Jobs())
	})
}

func TestPoller_TokensAreSeparate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set(jobID, job(upstream.StatusPending))
		poller := poll.New(src, poll.Options{})
		one, _ := poller.Watch(t.Context(), token, []string{jobID})
		other, _ := poller.Watch(t.Context(), "bb22", []string{jobID})
		assert.Equal(t, "PENDING", waiting(one))
		assert.Equal(t, "PENDING", waiting(other))
		polls := src.seen()
		require.Len(t, polls, 2)
		assert.NotEqual(t, polls[0].token, polls[1].token)
	})
}

func TestPoller_SlowReaderGetsTheLatestState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set(jobID, job(upstream.StatusAuthorizing))
		poller := poll.New(src, poll.Options{})
		slow, _ := poller.Watch(t.Context(), token, []string{jobID})
		quick, _ := poller.Watch(t.Context(), token, []string{jobID})
		for _, status := range []upstream.JobStatus{upstream.StatusAuthorizing, upstream.StatusPending, upstream.StatusInProcess, upstream.StatusReviewing} {
			src.set(jobID, job(status))
			time.Sleep(time.Minute)
			assert.Equal(t, string(status), waiting(quick), "a slow reader holds nobody up")
		}
		assert.Equal(t, "REVIEWING", waiting(slow))
		assert.Equal(t, "nothing", waiting(slow))

		src.set(jobID, failed(upstream.Unavailable))
		time.Sleep(time.Minute)
		src.set(jobID, job(upstream.StatusReviewing))
		time.Sleep(time.Minute)
		assert.Equal(t, "nothing", waiting(slow), "it missed the failure: for it nothing has changed")
	})
}

func TestPoller_PollsStretchWhileAJobRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set(jobID, job(upstream.StatusPending))
		poller := poll.New(src, poll.Options{Interval: 2 * time.Second, MaxInterval: 30 * time.Second})
		states, _ := poller.Watch(t.Context(), token, []string{jobID})
		waiting(states)
		time.Sleep(10 * time.Minute)
		gaps := gaps(src.seen())
		within(t, gaps[0], 2*time.Second)
		within(t, gaps[1], 3*time.Second)
		within(t, gaps[len(gaps)-1], 30*time.Second)
		before := len(src.seen())

		src.set(jobID, job(upstream.StatusInProcess))
		time.Sleep(time.Minute)
		assert.Equal(t, "IN_PROCESS", waiting(states))
		after := src.seen()[before:]
		within(t, after[1].at.Sub(after[0].at), 2*time.Second)
	})
}

func TestPoller_PollsGatherAroundTheDueDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		due := time.Now().Add(10 * time.Minute)
		resting := upstream.Job{ID: jobID, Status: upstream.StatusInProcess, DueDate: &due}.Encode()
		src := &source{}
		src.set(jobID, resting)
		poller := poll.New(src, poll.Options{Interval: 2 * time.Second, MaxInterval: 30 * time.Second})
		states, _ := poller.Watch(t.Context(), token, []string{jobID})
		waiting(states)
		time.Sleep(9 * time.Minute)
		far := len(src.seen())
		time.Sleep(time.Minute)
		assert.Greater(t, len(src.seen())-far, 8, "polls in the last minute before the due date")
		time.Sleep(time.Minute)
		past := len(src.seen())
		time.Sleep(10 * time.Minute)
		assert.Less(t, len(src.seen())-past, 40, "an overdue job rests again")
	})
}

func TestPoller_FailuresBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set(jobID, failed(upstream.Unavailable))
		states, _ := poll.New(src, poll.Options{}).Watch(t.Context(), token, []string{jobID})
		waiting(states)
		time.Sleep(5 * time.Minute)
		gaps := gaps(src.seen())
		within(t, gaps[0], 2*time.Second)
		within(t, gaps[1], 4*time.Second)
		within(t, gaps[2], 8*time.Second)
		within(t, gaps[len(gaps)-1], 30*time.Second)
	})
}

func TestPoller_RetryAfterIsHonouredByTheNextCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := failed(upstream.RateLimited)
		limited.RetryAfter = time.Minute
		src := &source{}
		src.set(jobID, limited)
		states, _ := poll.New(src, poll.Options{}).Watch(t.Context(), token, []string{jobID})
		waiting(states)
		time.Sleep(5*time.Minute + time.Second)
		assert.Len(t, src.seen(), 6, "polls in five minutes, the first one included")
		assert.Equal(t, "nothing", waiting(states))
	})
}

func TestPoller_JobsDoNotBeatTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const jobs = 1000
		src := &source{}
		ids := make([]string, jobs)
		for i := range ids {
			ids[i] = string(rune('a'+i/100)) + string(rune('a'+i/10%10)) + string(rune('a'+i%10))
			src.set(ids[i], job(upstream.StatusPending))
		}
		_, err := poll.New(src, poll.Options{}).Watch(t.Context(), token, ids)
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		perSecond := map[int64]int{}
		end := time.Now().Add(-time.Minute)
		for _, asked := range src.seen() {
			if asked.at.After(end) {
				perSecond[asked.at.Unix()]++
			}
		}
		for _, polls := range perSecond {
			require.Less(t, polls, jobs/10, "polls in one second: 33 are the mean")
		}
	})
}

// pause ends when nothing was polled for more than a second, as a job that was would not
// be woken at once. It gives the number of polls so far.
func pause(src *source) (polls int) {
	for polls = -1; polls != len(src.seen()); {
		polls = len(src.seen())
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
	}
	return polls
}

func TestPoller_AWakePollsAtOnceAndAFloodOfThemDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set(jobID, job(upstream.StatusInProcess))
		poller := poll.New(src, poll.Options{})
		states, _ := poller.Watch(t.Context(), token, []string{jobID})
		waiting(states)
		time.Sleep(5 * time.Minute)
		waiting(states)

		pause(src)
		src.set(jobID, returned())
		started := time.Now()
		poller.Wake(jobID)
		assert.Equal(t, "COMPLETE returned", waiting(states))
		assert.Zero(t, time.Since(started))
		assert.Equal(t, "closed", waiting(states))
		poller.Wake(jobID) // late: nobody is there
		poller.Wake("ffff")
		assert.Zero(t, poller.Jobs())

		src.set(jobID, job(upstream.StatusInProcess))
		states, _ = poller.Watch(t.Context(), token, []string{jobID})
		waiting(states)
		before := len(src.seen())
		for range 1000 {
			poller.Wake(jobID)
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		assert.LessOrEqual(t, len(src.seen())-before, 11, "polls in 10 s of a hundred wakes a second")
	})
}

func TestPoller_TooManyJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		src.set("01", job(upstream.StatusPending))
		src.set("02", job(upstream.StatusPending))
		poller := poll.New(src, poll.Options{MaxJobs: 1})
		ctx, cancel := context.WithCancel(t.Context())
		_, err := poller.Watch(ctx, token, []string{"01", "02"})
		assert.True(t, errors.Is(err, poll.ErrTooMany))
		assert.Zero(t, poller.Jobs(), "all or none")

		_, err = poller.Watch(ctx, token, []string{"01"})
		assert.NoError(t, err)
		_, err = poller.Watch(ctx, token, []string{"01"})
		assert.NoError(t, err, "a job that is watched already costs nothing")
		cancel()
		synctest.Wait()
		_, err = poller.Watch(t.Context(), token, []string{"02"})
		assert.NoError(t, err)
	})
}

func gaps(polls []asked) []time.Duration {
	var gaps []time.Duration
	for i := 1; i < len(polls); i++ {
		gaps = append(gaps, polls[i].at.Sub(polls[i-1].at))
	}
	return gaps
}

// within allows for the jitter: a fifth more or less.
func within(t *testing.T, got, want time.Duration) {
	t.Helper()
	assert.InDelta(t, want.Seconds(), got.Seconds(), want.Seconds()/5+0.001)
}
