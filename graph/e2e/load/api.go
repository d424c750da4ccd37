package load

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// The kinds of job that [API] has: an id's first two digits say which.
const (
	settledJob    = "a0" // complete and returned
	activeJob     = "b0" // in process
	missingJob    = "c0" // not there
	movingJob     = "d0" // its name is another each second
	failingJob    = "e0" // 503, always
	flickeringJob = "f0" // 503 one time of two
)

func id(kind string, number int64) string { return fmt.Sprintf("%s%030x", kind, number) }

// API is a job API that takes its time for a job and fails at once. What it answers
// follows from the id alone, so that [Mix] knows what must come.
func API(delay time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("job_id")
		kind := id[:min(2, len(id))]
		if kind == failingJob || kind == flickeringJob && rand.IntN(2) == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		time.Sleep(delay)
		w.Header().Set("Content-Type", "application/json")
		switch kind {
		case missingJob:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"ErrorType": "ITEM_NOT_FOUND", "ErrorComment": "No such job."}`))
		case movingJob:
			writeJob(w, id, fmt.Sprint(time.Now().Unix()), "In Process", "null")
		case activeJob:
			writeJob(w, id, "job "+id, "In Process", "null")
		default:
			writeJob(w, id, "job "+id, "Complete", `"2014-08-27T14:10:42.885185"`)
		}
	})
}

func writeJob(w http.ResponseWriter, id, name, status, returned string) {
	fmt.Fprintf(w, `{"JobId": %q, "JobName": %q, "MediaLengthSeconds": 607.81, "ExternalID": "sample_id", "Priority": "STANDARD",
"Fidelity": "MECHANICAL", "JobStatus": %q, "SourceLanguage": "en", "TargetLanguage": "en", "CreationDate": "2014-08-27T14:00:06.472706",
"StartDate": "2014-08-27T14:00:06.472706", "DueDate": "2014-08-29T14:00:06.472706", "CompletedDate": "2014-08-27T14:10:41.923125", "ReturnDate": %s,
"ReturnTargets": {"url": [{"callback_url": "https://sample-url.com/return/"}]}, "Options": {}}`, id, name, status, returned)
}
