package sandbox

import (
	"embed"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Description says which job an id is.
type Description struct {
	// ID is the job's id, 32 lower-case hex digits.
	ID string
	// About is what the job shows, in one line.
	About string
	// Account is the user name of the account that owns it.
	Account string
}

// Jobs lists every job that the sandbox holds, the documented one first. The caller may change the slice.
func Jobs() []Description {
	list := make([]Description, 0, len(jobs))
	for _, job := range jobs {
		list = append(list, job.Description)
	}
	return list
}

type job struct {
	Description
	// view is the job at a moment, for a server started at another.
	view func(started, now time.Time) view
}

// view is a job at one moment.
type view struct {
	info
	// body is the Job Info as text; nil: the info encoded.
	body []byte
}

func (v view) text() []byte {
	if v.body == nil {
		return encode(v.info)
	}
	return v.body
}

var jobs = []job{
	still(ownAccount, DocumentedJobID, "documented_job.json", "the documented job, byte for byte as published"),
	still(ownAccount, ExampleRequestJobID, "documented_job.json", "the id in the documented request: the same body"),
	still(ownAccount, "10000000000000000000000000000001", "jobs/authorizing.json", "Authorizing"),
	still(ownAccount, "10000000000000000000000000000002", "jobs/pending.json", "Pending, an older body: ExternalId, no difficulty"),
	still(ownAccount, "10000000000000000000000000000003", "jobs/in_process.json", "In Process, with options that have labels"),
	still(ownAccount, "10000000000000000000000000000004", "jobs/reviewing.json", "Reviewing, difficult, to be translated"),
	still(archiveAccount, "10000000000000000000000000000005", "jobs/media_failure.json", "Media Failure"),
	still(newsAccount, "10000000000000000000000000000006", "jobs/complete.json", "Complete, its callback URL holds a password"),
	still(ownAccount, "20000000000000000000000000000001", "jobs/nulls.json", "every optional field is null"),
	still(ownAccount, "20000000000000000000000000000002", "jobs/unknown.json", "values and return targets that are not documented"),
	moves("30000000000000000000000000000001", 30*time.Second, "life_of_30_seconds", "moves: one life takes 30 seconds"),
	moves("30000000000000000000000000000002", 2*time.Minute, "life_of_2_minutes", "moves: one life takes 2 minutes"),
	moves("30000000000000000000000000000003", 10*time.Minute, "life_of_10_minutes", "moves: one life takes 10 minutes"),
	oneOfMany(manyPrefix + "000000000000000000000000"),
}

// manyPrefix begins the ids of as many jobs as anybody wants, for load tests: 24 hex digits follow.
const manyPrefix = "60000000"

// lookUp finds a job by its id.
func (s *server) lookUp(id string) (job, bool) {
	if len(id) == len(DocumentedJobID) && strings.HasPrefix(id, manyPrefix) {
		return oneOfMany(id), true
	}
	if i, found := s.volume.index(id); found {
		return s.volume.job(i), true
	}
	i := slices.IndexFunc(jobs, func(j job) bool { return j.ID == id })
	if i < 0 {
		return job{}, false
	}
	return jobs[i], true
}

//go:embed documented_job.json jobs
var files embed.FS

// still is a job that never changes: its file is its answer, served as it is. The documented body is not strict JSON
// (it has a comma too many), so no file is decoded and encoded again.
func still(account, id, file, about string) job {
	body, err := files.ReadFile(file)
	if err != nil {
		panic("sandbox: " + err.Error()) // at program start, so no test run can miss it
	}
	shown := view{decode(body), body}
	return job{Description{id, about, account}, func(_, _ time.Time) view { return shown }}
}

var lastComma = regexp.MustCompile(`,(\s*})`)

// strict is a body of the sandbox without a comma after its last member.
func strict(body []byte) []byte { return lastComma.ReplaceAll(body, []byte("$1")) }

func decode(body []byte) (i info) {
	if err := json.Unmarshal(strict(body), &i); err != nil {
		panic("sandbox: " + err.Error())
	}
	return i
}

// oneOfMany is the complete job under another id.
func oneOfMany(id string) job {
	about := "Complete, and so is every id of 32 digits that begins with " + manyPrefix
	return job{Description{id, about, newsAccount}, func(_, _ time.Time) view {
		return view{body: []byte(strings.Replace(completeBody, completeID, id, 1))}
	}}
}

const completeID = "10000000000000000000000000000006"

//go:embed jobs/complete.json
var completeBody string

// moves is a job that goes through the statuses: Authorizing, Pending, In Process, Reviewing, Complete, at last with
// its return; and in every other life Media Failure after In Process.
func moves(id string, length time.Duration, name, about string) job {
	o := order{id: id, name: name, externalID: "sample_moving_id", priority: "PRIORITY", fidelity: "STANDARD"} // Job Info's word for PREMIUM
	return job{Description{id, about, ownAccount}, func(started, now time.Time) view {
		return view{info: liveAt(length, started, now).info(o)}
	}}
}
