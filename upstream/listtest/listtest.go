// Package listtest plays a job API that lists jobs, of which tests add, change and take
// away some.
package listtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Job is a job of the API. Its zero Created is no creation date.
type Job struct {
	ID, ExternalID, Name, Username string
	Status                         string // as the API spells it; "": Pending
	Created                        time.Time
	// NoPadInName has the padding in another field.
	NoPadInName bool
}

// Order is how a list is sorted.
type Order int

// The orders, the documented one first.
const (
	NewestFirst Order = iota
	OldestFirst
	Shuffled
)

// API is an http.Handler. The zero value has no jobs; its fields are set before it serves.
type API struct {
	Order Order
	// Pad is how many bytes a job has more.
	Pad int
	// Before is called for each request, before it is answered; nil: it is not.
	Before func(r *http.Request)

	mu    sync.Mutex
	jobs  map[string]Job
	order []Job // the jobs, newest first; nil: not sorted yet
	lists []url.Values
	infos []string
	bytes int
}

// Set adds a job, or changes it.
func (a *API) Set(jobs ...Job) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.jobs == nil {
		a.jobs = map[string]Job{}
	}
	for _, job := range jobs {
		a.jobs[job.ID] = job
	}
	a.order = nil
}

// Delete takes a job away.
func (a *API) Delete(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.jobs, id)
	a.order = nil
}

// Jobs are all jobs, newest first, as pages have them.
func (a *API) Jobs() []Job {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sorted(func(Job) bool { return true })
}

// Asked is how often each was asked for, and how many bytes all answers had, since the last time.
func (a *API) Asked() (lists []url.Values, infos []string, bytes int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	lists, infos, bytes = a.lists, a.infos, a.bytes
	a.lists, a.infos, a.bytes = nil, nil, 0
	return lists, infos, bytes
}

func (a *API) sorted(lets func(Job) bool) (jobs []Job) {
	if a.order == nil {
		a.order = slices.SortedFunc(maps.Values(a.jobs), func(a, b Job) int {
			return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
		})
	}
	for _, job := range a.order {
		if lets(job) {
			jobs = append(jobs, job)
		}
	}
	return jobs
}

// ServeHTTP answers /api/job/list and /api/job/info.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.Before != nil {
		a.Before(r)
	}
	query := r.URL.Query()
	if strings.HasSuffix(r.URL.Path, "/info") {
		a.info(w, query.Get("job_id"))
		return
	}
	a.mu.Lock()
	a.lists = append(a.lists, query)
	jobs := a.sorted(filter(query))
	a.mu.Unlock()
	switch a.Order {
	case OldestFirst:
		slices.Reverse(jobs)
	case Shuffled:
		rand.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	}
	sent, _ := fmt.Fprint(w, `{"Username": "own", "ActiveJobs": [`)
	for i, job := range jobs {
		n, err := fmt.Fprint(w, ","[:min(i, 1)], job.text(a.Pad))
		sent += n
		if err != nil {
			break
		}
	}
	n, _ := fmt.Fprint(w, "]}")
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bytes += sent + n
}

func (a *API) info(w http.ResponseWriter, id string) {
	a.mu.Lock()
	a.infos = append(a.infos, id)
	job, ok := a.jobs[id]
	a.mu.Unlock()
	if !ok {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"ErrorType": "ITEM_NOT_FOUND", "ErrorComment": "There is no such job."}`)
		return
	}
	n, _ := fmt.Fprint(w, job.text(a.Pad))
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bytes += n
}

// filter is the query's.
func filter(query url.Values) func(Job) bool {
	date := func(name string) (time.Time, bool) {
		date, err := time.Parse("2006-01-02T15:04:05", query.Get(name))
		return date, err == nil
	}
	from, hasFrom := date("CreationDateFrom")
	to, hasTo := date("CreationDateTo")
	is := func(name, has string) bool {
		return !query.Has(name) || query.Get(name) == has || query.Get(name) == "*"
	}
	return func(job Job) bool {
		return !((hasFrom || hasTo) && job.Created.IsZero()) &&
			!(hasFrom && job.Created.Before(from)) && !(hasTo && job.Created.After(to)) &&
			is("JobStatus", job.status()) && is("ExternalID", job.ExternalID) && is("Username", job.Username) && is("JobName", job.Name)
	}
}

func (job Job) status() string { return cmp.Or(job.Status, "Pending") }

func (job Job) text(pad int) string {
	fields := map[string]any{"JobId": job.ID, "JobStatus": job.status(), "JobName": job.Name}
	if padding := strings.Repeat("x", pad); job.NoPadInName {
		fields["Options"] = map[string]any{"notes": padding}
	} else {
		fields["JobName"] = job.Name + padding
	}
	if job.ExternalID != "" {
		fields["ExternalID"] = job.ExternalID
	}
	if job.Username != "" {
		fields["Username"] = job.Username
	}
	if !job.Created.IsZero() {
		fields["CreationDate"] = job.Created.UTC().Format("2006-01-02T15:04:05.000000")
	}
	text, _ := json.Marshal(fields)
	return string(text)
}
