package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream/sandbox"
)

type list struct {
	Username   string
	ActiveJobs []map[string]any
}

func (l list) ids() []string {
	ids := []string{}
	for _, job := range l.ActiveJobs {
		ids = append(ids, job["JobId"].(string))
	}
	return ids
}

// askList gets the list with filters, names and values in turn.
func askList(t *testing.T, server *httptest.Server, filters ...string) list {
	t.Helper()
	got := sendList(t, server, filters...)
	require.Equal(t, http.StatusOK, got.status, got.body)
	assert.Equal(t, "application/json", got.header.Get("Content-Type"))
	var l list
	require.NoError(t, json.Unmarshal([]byte(got.body), &l), "lists are strict JSON")
	return l
}

func sendList(t *testing.T, server *httptest.Server, filters ...string) reply {
	t.Helper()
	query := url.Values{"v": {"1"}, "api_token": {sandbox.Token}}
	for pair := range slices.Chunk(filters, 2) {
		query.Add(pair[0], pair[1])
	}
	return send(t, http.MethodGet, server.URL+"/api/job/list?"+query.Encode())
}

var (
	moving   = []string{thirtySecondsID, twoMinutesID, tenMinutesID}
	lectures = []string{inProcessID, pendingID, authorizingID}
	ofOwn    = slices.Concat(moving, []string{unknownID}, lectures, []string{reviewingID, sandbox.DocumentedJobID, nullsID})
	ofAll    = slices.Concat(moving, []string{unknownID}, lectures,
		[]string{reviewingID, mediaFailureID, completeID, sandbox.DocumentedJobID, nullsID})
)

// Each filter finds what lies at its ends and nothing beyond them. The clock stands at the start of the moving jobs'
// first lives.
func TestList_Filters(t *testing.T) {
	server := serve(t, func() time.Time { return start })
	none := []string{}
	tests := []struct {
		name    string
		filters []string
		want    []string
	}{
		{"none", nil, ofAll},

		{"CreationDateFrom", []string{"CreationDateFrom", "2026-03-02T10:00:00"}, slices.Concat(moving, []string{unknownID, inProcessID})},
		{"CreationDateFrom, a microsecond later", []string{"CreationDateFrom", "2026-03-02T10:00:00.000001"}, slices.Concat(moving, []string{unknownID})},
		{"CreationDateFrom, its microsecond", []string{"CreationDateFrom", "2026-05-04T03:02:01.987654"}, moving},
		{"CreationDateFrom, beyond all", []string{"CreationDateFrom", "2026-05-04T03:02:01.987655"}, none},
		{"CreationDateTo", []string{"CreationDateTo", "2014-08-27T14:00:06.472706"}, []string{sandbox.DocumentedJobID}},
		{"CreationDateTo, a microsecond earlier", []string{"CreationDateTo", "2014-08-27T14:00:06.472705"}, none},
		{"CreationDateTo, a day with its end", []string{"CreationDateTo", "2014-08-27"}, []string{sandbox.DocumentedJobID}},
		{"CreationDateTo, the day before", []string{"CreationDateTo", "2014-08-26"}, none},
		{"CreationDateFrom, a day with its beginning", []string{"CreationDateFrom", "2026-05-04"}, moving},
		{"CreationDate, both ends", []string{"CreationDateFrom", "2026-02-26T12:30:00.007", "CreationDateTo", "2026-02-27T13:45:00"},
			[]string{mediaFailureID, completeID}},
		{"CreationDate, the ends reversed", []string{"CreationDateFrom", "2026-02-27T13:45:00", "CreationDateTo", "2026-02-26T12:30:00.007"}, none},

		{"StartDateFrom", []string{"StartDateFrom", "2026-03-02T10:04:37.918204"}, []string{unknownID, inProcessID}},
		{"StartDateFrom, a microsecond later", []string{"StartDateFrom", "2026-03-02T10:04:37.918205"}, []string{unknownID}},
		{"StartDateFrom, of a job with a zone", []string{"StartDateFrom", "2026-03-02T11:05:00.25"}, []string{unknownID}},
		{"StartDateTo", []string{"StartDateTo", "2026-02-26T12:41:26.350981"}, []string{completeID, sandbox.DocumentedJobID}},
		{"StartDateTo, a microsecond earlier", []string{"StartDateTo", "2026-02-26T12:41:26.350980"}, []string{sandbox.DocumentedJobID}},

		{"DueDateFrom", []string{"DueDateFrom", "2026-03-03T11:00:00"}, []string{unknownID}},
		{"DueDateFrom, later", []string{"DueDateFrom", "2026-03-03T11:00:00.000001"}, none},
		{"DueDateTo", []string{"DueDateTo", "2026-02-28T12:30:00"}, []string{completeID, sandbox.DocumentedJobID}},
		{"DueDateTo, earlier", []string{"DueDateTo", "2026-02-28T12:29:59.999999"}, []string{sandbox.DocumentedJobID}},

		{"CompleteDateFrom", []string{"CompleteDateFrom", "2026-02-27T09:17:52.11864"}, []string{completeID}},
		{"CompleteDateFrom, later", []string{"CompleteDateFrom", "2026-02-27T09:17:52.118641"}, none},
		{"CompleteDateTo", []string{"CompleteDateTo", "2014-08-27T14:10:41.923125"}, []string{sandbox.DocumentedJobID}},
		{"CompleteDateTo, earlier", []string{"CompleteDateTo", "2014-08-27T14:10:41.923124"}, none},

		{"ReturnDateFrom", []string{"ReturnDateFrom", "2026-02-27T09:17:54"}, []string{completeID}},
		{"ReturnDateFrom, later", []string{"ReturnDateFrom", "2026-02-27T09:17:54.1"}, none},
		{"ReturnDateTo", []string{"ReturnDateTo", "2014-08-27T14:10:42.885185"}, []string{sandbox.DocumentedJobID}},
		{"ReturnDateTo, earlier", []string{"ReturnDateTo", "2014-08-27T14:10:42.885184"}, none},

		{"AuthorizationDateFrom", []string{"AuthorizationDateFrom", "2026-03-02T10:02:09.5"}, []string{unknownID, inProcessID}},
		{"AuthorizationDateFrom, later", []string{"AuthorizationDateFrom", "2026-03-02T10:02:09.500001"}, []string{unknownID}},
		{"AuthorizationDateTo", []string{"AuthorizationDateTo", "2026-02-26T12:33:40.921"}, []string{completeID}},
		{"AuthorizationDateTo, earlier", []string{"AuthorizationDateTo", "2026-02-26T12:33:40"}, none},

		{"JobStatus Authorizing", []string{"JobStatus", "Authorizing"}, slices.Concat(moving, []string{authorizingID})},
		{"JobStatus Pending", []string{"JobStatus", "Pending"}, []string{pendingID, nullsID}},
		{"JobStatus In Process", []string{"JobStatus", "In Process"}, []string{inProcessID}},
		{"JobStatus Reviewing", []string{"JobStatus", "Reviewing"}, []string{reviewingID}},
		{"JobStatus Media Failure", []string{"JobStatus", "Media Failure"}, []string{mediaFailureID}},
		{"JobStatus Complete", []string{"JobStatus", "Complete"}, []string{completeID, sandbox.DocumentedJobID}},

		{"Fidelity MECHANICAL", []string{"Fidelity", "MECHANICAL"}, []string{authorizingID, sandbox.DocumentedJobID}},
		{"Fidelity PREMIUM", []string{"Fidelity", "PREMIUM"}, slices.Concat(moving, []string{inProcessID, pendingID})},
		{"Fidelity STANDARD is PREMIUM", []string{"Fidelity", "STANDARD"}, slices.Concat(moving, []string{inProcessID, pendingID})},
		{"Fidelity PROFESSIONAL", []string{"Fidelity", "PROFESSIONAL"}, []string{reviewingID, mediaFailureID, completeID}},
		{"Fidelity HIGH is PROFESSIONAL", []string{"Fidelity", "HIGH"}, []string{reviewingID, mediaFailureID, completeID}},

		{"Priority STANDARD", []string{"Priority", "STANDARD"}, []string{mediaFailureID, completeID, sandbox.DocumentedJobID}},
		{"Priority PRIORITY", []string{"Priority", "PRIORITY"}, slices.Concat(moving, []string{pendingID, reviewingID})},
		{"Priority ECONOMY", []string{"Priority", "ECONOMY"}, []string{authorizingID}},
		{"Priority CRITICAL", []string{"Priority", "CRITICAL"}, []string{inProcessID}},

		{"TurnaroundTimeHoursFrom", []string{"TurnaroundTimeHoursFrom", "24"},
			[]string{unknownID, pendingID, reviewingID, mediaFailureID, completeID, sandbox.DocumentedJobID}},
		{"TurnaroundTimeHoursFrom, later", []string{"TurnaroundTimeHoursFrom", "25"},
			[]string{reviewingID, mediaFailureID, completeID, sandbox.DocumentedJobID}},
		{"TurnaroundTimeHoursTo", []string{"TurnaroundTimeHoursTo", "6"}, []string{inProcessID}},
		{"TurnaroundTimeHoursTo, earlier", []string{"TurnaroundTimeHoursTo", "5"}, none},
		{"TurnaroundTimeHours, both ends", []string{"TurnaroundTimeHoursFrom", "6", "TurnaroundTimeHoursTo", "24"},
			[]string{unknownID, inProcessID, pendingID}},

		{"JobName", []string{"JobName", "panel_harbour_festival"}, []string{reviewingID}},
		{"JobName is the whole one", []string{"JobName", "panel"}, none},
		{"JobName with its case", []string{"JobName", "Panel_harbour_festival"}, none},
		{"JobName *", []string{"JobName", "*"}, ofAll[:len(ofAll)-1]},
		{"JobName begins", []string{"JobName", "lecture_*"}, lectures},
		{"JobName ends", []string{"JobName", "*_minutes"}, []string{twoMinutesID, tenMinutesID}},
		{"JobName holds", []string{"JobName", "*_of_*"}, moving},
		{"JobName in pieces", []string{"JobName", "*ect*_0*t*s"}, []string{inProcessID}},
		{"JobName, pieces in another order", []string{"JobName", "*_0*ect*"}, none},
		{"JobName, another beginning", []string{"JobName", "x*ect*"}, none},
		{"JobName, pieces that overlap", []string{"JobName", "example_job*b"}, none},

		{"ExternalID", []string{"ExternalID", "course-101/1"}, []string{authorizingID}},
		{"ExternalID, the other spelling", []string{"ExternalID", "course-101/2"}, []string{pendingID}},
		{"ExternalID of several", []string{"ExternalID", "sample_moving_id"}, moving},
		{"ExternalID has no wildcard", []string{"ExternalID", "course*"}, none},

		{"JobDifficulty Good", []string{"JobDifficulty", "Good"}, []string{completeID}},
		{"JobDifficulty Bad", []string{"JobDifficulty", "Bad"}, []string{reviewingID}},
		{"JobDifficulty Unknown", []string{"JobDifficulty", "Unknown"}, []string{inProcessID, mediaFailureID}},

		{"several", []string{"JobStatus", "Complete", "Fidelity", "HIGH"}, []string{completeID}},
		{"several without a job", []string{"JobStatus", "Pending", "Fidelity", "HIGH"}, none},
		{"others are ignored", []string{"CreateDateFrom", "soon", "jobstatus", "x", "job_id", "1"}, ofAll},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, test.want, askList(t, server, append(test.filters, "Username", "*")...).ids())
		})
	}
}

func TestList_Accounts(t *testing.T) {
	server := serve(t, func() time.Time { return start })
	tests := []struct {
		name, username string
		want           []string
	}{
		{"the own", "john_doe", ofOwn},
		{"a sub-account without those below it", "example_news", []string{completeID}},
		{"one below a sub-account", "example_news_archive", []string{mediaFailureID}},
		{"all", "*", ofAll},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := askList(t, server, "Username", test.username)
			assert.Equal(t, "john_doe", got.Username, "whose token it is")
			assert.Equal(t, test.want, got.ids())
		})
	}
	assert.Equal(t, ofOwn, askList(t, server).ids(), "without Username")
	got := sendList(t, server, "Username", "example_other")
	assert.Equal(t, http.StatusBadRequest, got.status)
	assert.Equal(t, "ACCOUNT_UNPRIVILEGED", decode(t, got.body)["ErrorType"])
}

func TestList_JobsNameTheirAccount(t *testing.T) {
	accounts := map[string]string{}
	for _, job := range sandbox.Jobs() {
		accounts[job.ID] = job.Account
	}
	for _, job := range askList(t, serve(t, nil), "Username", "*").ActiveJobs {
		if id := job["JobId"].(string); id != sandbox.DocumentedJobID {
			assert.Equal(t, accounts[id], job["Username"], id)
		} else {
			assert.NotContains(t, job, "Username", "as published")
		}
	}
}

func TestList_Errors(t *testing.T) {
	server := serve(t, nil)
	tests := []struct {
		name, query        string
		errorType, comment string
	}{
		{"no v", token, "MISSING_PARAMETER", "parameter v "},
		{"no api_token", "v=1", "MISSING_PARAMETER", "parameter api_token "},
		{"v is 2", "v=2" + token, "INVALID_QUERY", "v must be 1"},
		{"wrong api_token", "v=1&api_token=5ec2e7", "BAD_API_TOKEN", "api_token is not valid"},
		{"parameters before the token", "v=1&api_token=5ec2e7&JobStatus=secret", "INVALID_QUERY", "JobStatus must be"},
		{"malformed escape", "v=1&JobName=secret%zz" + token, "INVALID_QUERY", "malformed"},

		{"a date with a zone", "v=1&DueDateFrom=2026-01-01T00:00:00Z" + token, "INVALID_QUERY", "DueDateFrom must be an ISO 8601 date without a zone"},
		{"a date with an offset", "v=1&DueDateTo=2026-01-01T00:00:00%2B02:00" + token, "INVALID_QUERY", "DueDateTo must be"},
		{"a date with seven digits", "v=1&ReturnDateTo=2026-01-01T00:00:00.0000001" + token, "INVALID_QUERY", "ReturnDateTo must be"},
		{"no date", "v=1&CreationDateTo=secret" + token, "INVALID_QUERY", "CreationDateTo must be"},
		{"an impossible date", "v=1&StartDateFrom=2026-02-30" + token, "INVALID_QUERY", "StartDateFrom must be"},
		{"a status of the schema", "v=1&JobStatus=IN_PROCESS" + token, "INVALID_QUERY", "JobStatus must be one of Authorizing, Pending, In Process, "},
		{"an unknown fidelity", "v=1&Fidelity=STUDIO" + token, "INVALID_QUERY", "Fidelity must be one of MECHANICAL, "},
		{"an unknown priority", "v=1&Priority=Standard" + token, "INVALID_QUERY", "Priority must be one of STANDARD, "},
		{"an unknown difficulty", "v=1&JobDifficulty=good" + token, "INVALID_QUERY", "JobDifficulty must be one of Good, "},
		{"no number", "v=1&TurnaroundTimeHoursFrom=1.5" + token, "INVALID_QUERY", "TurnaroundTimeHoursFrom must be a whole number"},
		{"too large a number", "v=1&TurnaroundTimeHoursTo=99999999999999999999" + token, "INVALID_QUERY", "TurnaroundTimeHoursTo must be"},
	}
	for _, name := range []string{"CreationDateFrom", "CompleteDateTo", "JobStatus", "TurnaroundTimeHoursTo", "JobName", "ExternalID", "Username"} {
		tests = append(tests,
			struct{ name, query, errorType, comment string }{name + " is empty", "v=1&" + name + "=" + token, "MISSING_PARAMETER", name},
			struct{ name, query, errorType, comment string }{name + " twice", "v=1&" + name + "=*&" + name + "=*" + token, "INVALID_QUERY", name + " is given more than once"})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := send(t, http.MethodGet, server.URL+"/api/job/list?"+test.query)
			assert.Equal(t, http.StatusBadRequest, got.status)
			fields := decode(t, got.body)
			assert.Equal(t, test.errorType, fields["ErrorType"])
			assert.Contains(t, fields["ErrorComment"], test.comment)
			for _, private := range []string{sandbox.Token, "secret", "5ec2e7"} {
				assert.NotContains(t, got.body, private, "text of the request")
			}
		})
	}
}

// What a list says of a job is what Job Info says at the same moment, those that move included.
func TestList_SaysWhatInfoSays(t *testing.T) {
	var c clock
	server := serveWith(t, sandbox.Options{Now: c.now, Jobs: 30})
	statuses := map[any]int{}
	for elapsed := time.Duration(0); elapsed < time.Minute; elapsed += 3 * time.Second {
		c.set(elapsed)
		all := askList(t, server, "Username", "*").ActiveJobs
		require.Len(t, all, len(ofAll)+30)
		for _, job := range all {
			id := job["JobId"].(string)
			statuses[job["JobStatus"]]++
			if id == sandbox.DocumentedJobID { // which is not strict JSON
				assert.Contains(t, published, job["JobName"])
				continue
			}
			delete(job, "Username")
			require.Equal(t, decode(t, ask(t, server, id).body), job)
		}
	}
	assert.Len(t, statuses, 7)
}

// Each moving job is in the list of its status and in no other.
func TestList_MovingJobsMoveThroughTheListsOfTheirStatuses(t *testing.T) {
	var c clock
	server := serve(t, c.now)
	for elapsed := time.Duration(0); elapsed < time.Minute; elapsed += 2 * time.Second {
		c.set(elapsed)
		status := decode(t, ask(t, server, thirtySecondsID).body)["JobStatus"]
		for _, other := range []string{"Authorizing", "Pending", "In Process", "Reviewing", "Complete", "Media Failure"} {
			ids := askList(t, server, "JobStatus", other).ids()
			assert.Equal(t, status == other, slices.Contains(ids, thirtySecondsID), "%s in the list of %s", status, other)
		}
	}
}

func TestList_Lags(t *testing.T) {
	const lag = 3 * time.Second
	var c clock
	server, punctual := serveWith(t, sandbox.Options{Now: c.now, Jobs: 3, ListLag: lag}), serveWith(t, sandbox.Options{Now: c.now, Jobs: 3})
	behind := 0
	for elapsed := lag; elapsed < time.Minute; elapsed += lag {
		c.set(elapsed - lag)
		want := askList(t, punctual)
		c.set(elapsed)
		assert.Equal(t, want, askList(t, server))
		if now := decode(t, ask(t, server, thirtySecondsID).body); now["JobStatus"] != want.ActiveJobs[0]["JobStatus"] {
			behind++
		}
	}
	assert.Positive(t, behind, "Job Info does not lag")
}

func TestList_HeadHasNoBody(t *testing.T) {
	got := send(t, http.MethodHead, serve(t, nil).URL+"/api/job/list?v=1"+token)
	assert.Equal(t, http.StatusOK, got.status)
	assert.Empty(t, got.body)
	assert.Equal(t, "application/json", got.header.Get("Content-Type"))
}

func TestVolume_AllAreListedNewestFirst(t *testing.T) {
	const jobs = 2000
	server := serveWith(t, sandbox.Options{Now: func() time.Time { return start }, Jobs: jobs})
	all := askList(t, server, "Username", "*").ActiveJobs
	require.Len(t, all, jobs+len(ofAll))
	seen, same := map[any]bool{}, 0
	for i, job := range all {
		assert.False(t, seen[job["JobId"]], "twice: %s", job["JobId"])
		seen[job["JobId"]] = true
		if i == 0 || job["CreationDate"] == nil {
			continue
		}
		date, before := parseAny(t, job["CreationDate"]), parseAny(t, all[i-1]["CreationDate"])
		assert.False(t, date.After(before), "%s is newer than the one before it", job["JobId"])
		if date.Equal(before) {
			same++
		}
	}
	assert.Greater(t, same, 200, "jobs with the same microsecond")
	assert.True(t, seen[sandbox.VolumeJobID(0)] && seen[sandbox.VolumeJobID(jobs-1)])
	assert.Nil(t, all[len(all)-1]["CreationDate"], "what has no creation date is last")
}

// What a window of creation dates leaves out is looked up and not gone through: each job is in exactly one window.
func TestVolume_WindowsHaveEachJobOnce(t *testing.T) {
	const jobs = 1000
	server := serveWith(t, sandbox.Options{Now: func() time.Time { return start }, Jobs: jobs})
	all := askList(t, server, "JobName", "*_000*").ids()
	require.Len(t, all, jobs)
	const layout = "2006-01-02T15:04:05.999999"
	var ids []string
	for to := start.Truncate(time.Microsecond); len(ids) < jobs && to.After(start.Add(-24*time.Hour)); {
		from := to.Add(-10 * time.Minute)
		ids = append(ids, askList(t, server, "CreationDateFrom", from.Format(layout), "CreationDateTo", to.Format(layout),
			"JobName", "*_000*").ids()...)
		to = from.Add(-time.Microsecond)
	}
	assert.Equal(t, all, ids)
}

func TestVolume_JobInfoKnowsItsJobsAlone(t *testing.T) {
	server := serveWith(t, sandbox.Options{Jobs: 20})
	assert.Equal(t, http.StatusOK, ask(t, server, sandbox.VolumeJobID(19)).status)
	for _, id := range []string{
		sandbox.VolumeJobID(20), sandbox.VolumeJobID(0)[:31], "7000000000000000000000000000000A", "70000000ffffffffffffffffffffffff",
	} {
		got := ask(t, server, id)
		assert.Equal(t, "ITEM_NOT_FOUND", decode(t, got.body)["ErrorType"], id)
	}
	assert.Equal(t, http.StatusBadRequest, ask(t, serve(t, nil), sandbox.VolumeJobID(0)).status)
}

// A job of the volume lives once, and keeps its end.
func TestVolume_JobsLiveOnce(t *testing.T) {
	var c clock
	server := serveWith(t, sandbox.Options{Now: c.now, Jobs: 13})
	at := func(days int, number int) map[string]any {
		c.set(time.Duration(days) * 24 * time.Hour)
		return decode(t, ask(t, server, sandbox.VolumeJobID(number)).body)
	}
	assert.Equal(t, "Authorizing", at(0, 0)["JobStatus"])
	assert.Equal(t, "In Process", at(3, 0)["JobStatus"])
	done := at(9, 0)
	assert.Equal(t, "Complete", done["JobStatus"])
	assert.Equal(t, done, at(900, 0))
	assert.Equal(t, "Media Failure", at(900, 12)["JobStatus"])
}

func parseAny(t *testing.T, value any) time.Time {
	t.Helper()
	date, err := time.Parse("2006-01-02T15:04:05Z07:00", value.(string))
	if err != nil {
		date = parse(t, value)
	}
	return date
}
