package sandbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// list answers with all jobs that pass, newest creation first, those without a creation date last. It writes one job
// after the other: a list of any length takes the memory of one.
func (s *server) list(w http.ResponseWriter, r *http.Request, scenario Scenario) {
	values, fault := parameters(r.URL.RawQuery, "v", "api_token")
	var filter *filter
	if fault == nil {
		filter, fault = parseFilter(values)
	}
	if fault == nil && !s.sessions.use(values.Get("api_token")) {
		fault = badAPIToken()
	}
	if fault != nil {
		fail(w, http.StatusBadRequest, fault)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodHead {
		return
	}
	s.writeList(bufio.NewWriter(w), filter, scenario)
}

func (s *server) writeList(w *bufio.Writer, f *filter, scenario Scenario) {
	w.WriteString(`{"Username":"` + ownAccount + `","ActiveJobs":[`)
	separator := ""
	for job, view := range s.newestFirst(f, s.now().Add(-s.listLag), scenario) {
		if !f.passes(&view.info) {
			continue
		}
		w.WriteString(separator)
		// The first error stays the writer's: the client has left, and nothing more is made for it.
		if _, err := w.Write(element(job, view)); err != nil {
			return
		}
		separator = ","
	}
	w.WriteString("]}\n")
	w.Flush()
}

// newestFirst are the jobs of the accounts that are asked for, at a moment.
func (s *server) newestFirst(f *filter, now time.Time, scenario Scenario) func(yield func(job, view) bool) {
	type entry struct {
		job
		view
	}
	var few []entry
	for _, job := range jobs {
		// One body is served under two ids, and one job stands for many that are made when they are asked for.
		if f.owns(job.Account) && job.view(s.started, now).JobID == job.ID {
			few = append(few, entry{job, scenario.see(job, s.started, now)})
		}
	}
	slices.SortStableFunc(few, func(a, b entry) int { return b.CreationDate.Compare(a.CreationDate.Time) })
	return func(yield func(job, view) bool) {
		if f.owns(ownAccount) {
			newest, end := s.volume.between(f.createdFrom, f.createdTo)
			for i := newest; i < end; i++ {
				for len(few) > 0 && few[0].CreationDate.After(s.volume.created(i)) {
					if !yield(few[0].job, few[0].view) {
						return
					}
					few = few[1:]
				}
				many := s.volume.job(i)
				if !yield(many, scenario.see(many, s.started, now)) {
					return
				}
			}
		}
		for _, e := range few {
			if !yield(e.job, e.view) {
				return
			}
		}
	}
}

// element is a job as lists have it: its Job Info with the name of its account, which the documented example leaves out.
func element(j job, v view) []byte {
	if v.body == nil {
		object, err := json.Marshal(v.info)
		if err != nil {
			panic("sandbox: " + err.Error()) // our own types always marshal
		}
		return withUsername(object, j.Account)
	}
	var object bytes.Buffer
	if err := json.Compact(&object, strict(v.body)); err != nil {
		panic("sandbox: " + err.Error()) // decoded at program start
	}
	if j.ID == DocumentedJobID {
		return object.Bytes()
	}
	return withUsername(object.Bytes(), j.Account)
}

func withUsername(object []byte, name string) []byte {
	return append(object[:len(object)-1], `,"Username":"`+name+`"}`...)
}
