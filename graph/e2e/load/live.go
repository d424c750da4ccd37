package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Live are subscriptions to moving jobs of [API], over event streams.
type Live struct {
	events  atomic.Int64
	errors  atomic.Int64
	cancel  context.CancelFunc
	streams sync.WaitGroup

	mu    sync.Mutex
	wrong []string
}

// Subscribe opens so many streams, of so many jobs each.
func Subscribe(url string, streams, jobs int) *Live {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Live{cancel: cancel}
	for stream := range streams {
		ids := make([]string, jobs)
		for i := range ids {
			ids[i] = id(movingJob, int64(stream*jobs+i))
		}
		l.streams.Go(func() {
			if err := l.follow(ctx, url, ids); ctx.Err() == nil {
				l.fail(fmt.Sprintf("a stream ended: %v", err))
			}
		})
	}
	return l
}

// Wait is over when so many events have come, or ctx is done.
func (l *Live) Wait(ctx context.Context, events int64) {
	for l.events.Load() < events && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
}

// Events is how many have come.
func (l *Live) Events() int64 { return l.events.Load() }

// Errors is how many of the events told a retryable error, of a server that is busy.
func (l *Live) Errors() int64 { return l.errors.Load() }

// Wrong are the first things that should not have come.
func (l *Live) Wrong() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.wrong)
}

// Close ends the streams.
func (l *Live) Close() {
	l.cancel()
	l.streams.Wait()
}

func (l *Live) fail(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.wrong) < 3 {
		l.wrong = append(l.wrong, what)
	}
}

// follow checks each event: it is about a job of these, and newer than the one before.
func (l *Live) follow(ctx context.Context, url string, ids []string) error {
	body, _ := json.Marshal(map[string]any{ // strings alone
		"query":     "subscription ($ids: [ID!]!) { jobUpdated(ids: $ids) { ... on Job { id name } ... on ApiError { jobId retryable } } }",
		"variables": map[string]any{"ids": ids}})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	latest := map[string]int64{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: {"))
		if !ok {
			continue
		}
		var event struct {
			Data struct {
				JobUpdated struct {
					ID, Name, JobID string
					Retryable       bool
				}
			}
		}
		err := json.Unmarshal(append([]byte("{"), data...), &event)
		job := event.Data.JobUpdated
		l.events.Add(1)
		if job.Retryable && slices.Contains(ids, job.JobID) {
			l.errors.Add(1)
			continue
		}
		version, notMoving := strconv.ParseInt(job.Name, 10, 64)
		if err != nil || notMoving != nil || !slices.Contains(ids, job.ID) || version <= latest[job.ID] {
			l.fail(string(data))
		}
		latest[job.ID] = version
	}
	return fmt.Errorf("the status was %s", response.Status)
}

// MovingJob is the id of the n-th job that [Subscribe] subscribes to.
func MovingJob(n int64) string { return id(movingJob, n) }
