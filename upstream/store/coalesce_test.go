package store

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/faults"
)

const testToken = "c0ffee1234abcdef5678"

// overFaults is a store over a client of a job API that behaves as the fault says.
func overFaults(t *testing.T, fault *faults.Fault, opts Options) (*Store, *faults.Server) {
	t.Helper()
	server, err := faults.NewServer(func(string) *faults.Fault { return fault })
	require.NoError(t, err)
	t.Cleanup(server.Close)
	client, err := upstream.New(server.URL(), upstream.Options{Timeout: time.Hour})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	s := New(client, opts)
	t.Cleanup(s.Close)
	return s, server
}

// waiting is how many callers share the call for the job.
func (s *Store) waiting(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if call := s.calls[s.slots[digestOf(upstream.NewRequest(testToken, id).Key)]]; call != nil {
		return call.Callers()
	}
	return 0
}

func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, 10*time.Second, time.Millisecond, what)
}

func TestStore_CancellationHarmsNobody(t *testing.T) {
	gate := faults.NewGate()
	var coalesced atomic.Int32
	s, server := overFaults(t, gate.Fault(), Options{ObserveCoalesced: func() { coalesced.Add(1) }})
	first, cancel := context.WithCancel(t.Context())
	left, served := make(chan error), make(chan error)
	go func() { _, err := s.Job(first, upstream.NewRequest(testToken, "a")); left <- err }()
	eventually(t, func() bool { return server.Requests() == 1 }, "the first caller's request")
	go func() { _, err := s.Job(t.Context(), upstream.NewRequest(testToken, "a")); served <- err }()
	eventually(t, func() bool { return s.waiting("a") == 2 }, "the second caller")
	cancel()
	assert.ErrorIs(t, <-left, context.Canceled)
	gate.Open()
	assert.NoError(t, <-served)
	assert.Equal(t, 1, server.Requests(), "requests")
	assert.EqualValues(t, 1, coalesced.Load())
}

func TestStore_LastCallersCancellationStopsTheCall(t *testing.T) {
	s, server := overFaults(t, faults.Hang(), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range 3 {
		callers.Go(func() {
			_, err := s.Job(ctx, upstream.NewRequest(testToken, "a"))
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
	eventually(t, func() bool { return server.Requests() == 1 && s.waiting("a") == 3 }, "all callers")
	cancel()
	callers.Wait()
	eventually(t, func() bool { return server.Open() == 0 }, "the upstream call goes on")
}

func TestStore_FreshCallerDoesNotJoinAnEarlierCall(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	var calls atomic.Int32
	s, _, _ := newStore(t, func(string, string) (*upstream.EncodedJob, error) {
		if calls.Add(1) > 1 {
			return upstream.Job{ID: "aa", Status: upstream.StatusComplete}.Encode(), nil
		}
		close(began)
		<-release
		return upstream.Job{ID: "aa", Status: upstream.StatusPending}.Encode(), nil
	})
	early := make(chan *upstream.EncodedJob, 1)
	go func() {
		job, _ := s.Job(context.Background(), upstream.NewRequest("aa", "bb"))
		early <- job
	}()
	<-began
	job, err := s.Job(t.Context(), fresh("aa", "bb"))
	require.NoError(t, err)
	assert.Equal(t, upstream.StatusComplete, job.Status())
	close(release)
	assert.Equal(t, upstream.StatusPending, (<-early).Status())
	job, err = s.Job(t.Context(), upstream.NewRequest("aa", "bb"))
	require.NoError(t, err)
	assert.Equal(t, upstream.StatusComplete, job.Status(), "a late response never overwrites a newer one")
}

func TestStore_PanicIsAnErrorForAll(t *testing.T) {
	s, _, _ := newStore(t, func(token, _ string) (*upstream.EncodedJob, error) { panic("the token " + token) })
	_, err := s.Job(t.Context(), upstream.NewRequest(testToken, "a"))
	require.Error(t, err)
	assert.Contains(t, err.Error(), "panic")
	assert.NotContains(t, err.Error(), testToken)
}
