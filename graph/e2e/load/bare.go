package load

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Bare is what one would write without GraphQL: a handler that reads {"ids": […]},
// asks the job API at the base address for each distinct id, all at the same time,
// over net/http's client with a pool as large as JobGraph's, and writes five fields
// of each job with encoding/json. It promises nothing else: no limits, no retries,
// no typed errors.
func Bare(api, token string) http.Handler {
	b := &bare{
		client: &http.Client{
			Transport: &http.Transport{MaxIdleConns: 256, MaxIdleConnsPerHost: 256},
			Timeout:   10 * time.Second,
		},
		address: api + "/api/job/info?v=1&api_token=" + token + "&job_id=",
	}
	return http.HandlerFunc(b.serve)
}

type bare struct {
	client  *http.Client
	address string
}

type bareJob struct {
	ID           string  `json:"id"`
	Name         *string `json:"name"`
	Status       string  `json:"status"`
	Priority     *string `json:"priority"`
	CreationDate *string `json:"creationDate"`
}

func (b *bare) serve(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		IDs []string `json:"ids"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	distinct := make(map[string]*bareJob, len(asked.IDs))
	jobs := make([]*bareJob, len(asked.IDs))
	var calls sync.WaitGroup
	for i, id := range asked.IDs {
		if distinct[id] == nil {
			job := &bareJob{}
			distinct[id] = job
			calls.Go(func() { b.get(r.Context(), id, job) })
		}
		jobs[i] = distinct[id]
	}
	calls.Wait()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"job": jobs}})
}

// get leaves a job that could not be had empty, which the generator takes for a failure.
func (b *bare) get(ctx context.Context, id string, into *bareJob) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.address+id, nil)
	if err != nil {
		return
	}
	response, err := b.client.Do(request)
	if err != nil {
		return
	}
	defer response.Body.Close()
	var job struct {
		ID           string  `json:"JobId"`
		Name         *string `json:"JobName"`
		Status       string  `json:"JobStatus"`
		Priority     *string `json:"Priority"`
		CreationDate *string `json:"CreationDate"`
	}
	if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&job) != nil {
		return
	}
	*into = bareJob(job)
}

// Fixed answers everything with the same bytes: no handler of net/http can do less.
func Fixed(body []byte) http.Handler {
	length := fmt.Sprint(len(body))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", length)
		_, _ = w.Write(body)
	})
}
