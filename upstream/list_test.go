package upstream

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func listed(n int) string {
	return fmt.Sprintf(`{"JobId": "%032x", "JobStatus": "In Process", "Fidelity": "HIGH", "CreationDate": "2026-01-02T03:04:%02d.000001", "Username": "sub%d"}`, n, n%60, n%2)
}

func listOf(jobs ...string) string {
	return `{"Username": "own", "ActiveJobs": [` + strings.Join(jobs, ",") + `]}`
}

func listJobs(t *testing.T, c *Client, filter *Filter, selection Selection) (*List, *Error) {
	t.Helper()
	list, err := c.List(t.Context(), NewListRequest(canary, filter, selection))
	if err == nil {
		return list, nil
	}
	failed := ErrorOf(err)
	require.NotNil(t, failed, "%v", err)
	assert.Empty(t, failed.JobID)
	text := fmt.Sprint(err, failed.Unwrap())
	assert.NotContains(t, text, canary[:8])
	assert.NotContains(t, text, "api_token")
	assert.Nil(t, list)
	return nil, failed
}

func idsOf(list *List) (ids []int) {
	for _, job := range list.Jobs {
		id, _ := strconv.ParseInt(job.ID(), 16, 64)
		ids = append(ids, int(id))
	}
	return ids
}

func ptr[T any](value T) *T { return &value }

func TestClient_ListAsksAsDocumented(t *testing.T) {
	upstream := record(t, answer(200, listOf(listed(1), listed(2))))
	from := time.Date(2026, 1, 2, 4, 4, 2, 999, time.FixedZone("", 3600))
	list, failed := listJobs(t, client(t, upstream.URL, Options{}), &Filter{
		Status: ptr(StatusInProcess), Priority: ptr(Priority("STANDARD")), Fidelity: ptr(Fidelity("PREMIUM")),
		Difficulty: ptr(JobDifficulty("GOOD")), Name: ptr("a b*&c"), ExternalID: ptr("ü"), Username: ptr("*"),
		Created: &DateRange{From: &from}, Completed: &DateRange{}, TurnaroundHours: &IntRange{ptr(1), ptr(2)},
	}, Selection{})
	require.Nil(t, failed)
	request := upstream.requests[0]
	assert.Equal(t, http.MethodGet, request.Method)
	assert.Equal(t, "/api/job/list?v=1&api_token="+canary+"&JobStatus=In+Process&Priority=STANDARD&Fidelity=PREMIUM&JobDifficulty=Good"+
		"&JobName=a+b%2A%26c&ExternalID=%C3%BC&Username=%2A&CreationDateFrom=2026-01-02T03%3A04%3A02"+
		"&TurnaroundTimeHoursFrom=1&TurnaroundTimeHoursTo=2", request.URL.RequestURI())
	assert.Equal(t, "gzip", request.Header.Get("Accept-Encoding"))
	assert.Equal(t, []int{2}, idsOf(list))
}

// The job API's filters have whole seconds; ours have microseconds.
func TestClient_ListHasDatesToTheMicrosecond(t *testing.T) {
	upstream := record(t, answer(200, listOf(listed(7), listed(8), listed(9), `{"JobId": "f", "JobStatus": "Pending"}`)))
	c := client(t, upstream.URL, Options{})
	second := func(s, us int) *time.Time { return ptr(time.Date(2026, 1, 2, 3, 4, s, us*1000, time.UTC)) }
	list, failed := listJobs(t, c, &Filter{Created: &DateRange{second(7, 1), second(8, 1)}}, Selection{})
	require.Nil(t, failed)
	assert.Equal(t, []int{8, 7}, idsOf(list))
	list, failed = listJobs(t, c, &Filter{Created: &DateRange{second(7, 2), second(8, 2)}}, Selection{})
	require.Nil(t, failed)
	assert.Equal(t, []int{8}, idsOf(list))
	assert.Contains(t, upstream.requests[1].URL.RawQuery, "CreationDateFrom=2026-01-02T03%3A04%3A07&CreationDateTo=2026-01-02T03%3A04%3A09")
}

func TestClient_ListOrderSelectionAndUsernames(t *testing.T) {
	undated := `{"JobId": "ff", "JobStatus": "Pending"}`
	upstream := record(t, answer(200, `{"ActiveJobs": [`+undated+","+listed(3)+","+listed(1)+","+listed(2)+","+listed(3)+`], "Username": "own"}`))
	c := client(t, upstream.URL, Options{})
	list, failed := listJobs(t, c, nil, Selection{})
	require.Nil(t, failed)
	assert.Equal(t, []int{3, 2, 1, 255}, idsOf(list), "each once, the newest first")
	assert.False(t, list.Ordered)
	assert.Equal(t, "sub1", list.Jobs[0].Username)
	assert.Equal(t, "own", list.Jobs[3].Username, "the list's account is that of a job that has none")
	assert.Equal(t, Fidelity("PROFESSIONAL"), *list.Jobs[0].Fidelity())

	page, failed := listJobs(t, c, nil, Selection{After: &list.Jobs[0].At, Most: 2})
	require.Nil(t, failed)
	assert.Equal(t, []int{2, 1}, idsOf(page))
	list, failed = listJobs(t, c, nil, Selection{Only: func(id string) bool { return id == "ff" }})
	require.Nil(t, failed)
	assert.Equal(t, []int{255}, idsOf(list))
	list, failed = listJobs(t, c, &Filter{Username: ptr("*")}, Selection{})
	require.Nil(t, failed)
	assert.Empty(t, list.Jobs[3].Username, "any account's")
}

// What is wrong within a job is that job's, what is wrong around the jobs the list's.
func TestClient_ListWithMalformedJobs(t *testing.T) {
	good, cut := listed(1), listed(2)
	for name, test := range map[string]struct {
		body   string
		jobs   []int
		failed ErrorType
	}{
		"wrong types":         {listOf(good, `{"JobId": 5, "JobStatus": "Pending"}`, `7`, `null`, `"x"`, `[]`), []int{1}, ""},
		"no id":               {listOf(`{"JobStatus": "Pending"}`, `{"JobId": "", "JobStatus": "Pending"}`, good), []int{1}, ""},
		"no hexadecimal id":   {listOf(`{"JobId": "job-1", "JobStatus": "Pending"}`, good), []int{1}, ""},
		"no JSON":             {listOf(`{"JobId" = "01"}`, `{"a": }`, good), []int{1}, ""},
		"unbalanced":          {listOf(`{"a": ]]}`, good), nil, Malformed},
		"not UTF-8":           {listOf("{\"JobId\": \"01\", \"JobName\": \"\xff\"}", good), []int{1}, ""},
		"brackets in a text":  {listOf(`{"JobId": "2", "JobName": "]}\"\\", "JobStatus": "Pending"}`, good), []int{1, 2}, ""},
		"a large job":         {listOf(`{"JobId": "01", "JobStatus": "Pending", "JobName": "`+strings.Repeat("x", maxBody)+`"}`, good), []int{1}, ""},
		"trailing commas":     {`{"ActiveJobs": [{"JobId": "3", "JobStatus": "Pending",},` + good + `,],}`, []int{1, 3}, ""},
		"other members":       {`{"a": {"ActiveJobs": [7]}, "b": -1.5e3, "c":null, "Username": 7, "ActiveJobs": [` + good + `], "d": "]"} ` + "\n", []int{1}, ""},
		"none":                {`{"ActiveJobs": []}`, nil, ""},
		"null":                {`{"ActiveJobs": null, "Username": "a"}`, nil, ""},
		"cut in a job":        {listOf(good, cut)[:120], nil, Malformed},
		"cut between jobs":    {`{"ActiveJobs": [` + good + `,`, nil, Malformed},
		"cut after the jobs":  {`{"ActiveJobs": [` + good + `]`, nil, Malformed},
		"cut in a string":     {`{"ActiveJobs": ["`, nil, Malformed},
		"empty":               {``, nil, Malformed},
		"no list":             {`{"Username": "a"}`, nil, Malformed},
		"a list of another":   {`{"ActiveJobs": {}}`, nil, Malformed},
		"a job":               {good, nil, Malformed},
		"a list alone":        {`[` + good + `]`, nil, Malformed},
		"two lists":           {`{"ActiveJobs": [], "ActiveJobs": []}`, nil, Malformed},
		"more after the list": {listOf(good) + `{}`, nil, Malformed},
		"no commas":           {`{"ActiveJobs": [` + good + " " + good + `]}`, nil, Malformed},
		"two commas":          {`{"ActiveJobs": [` + good + ",," + good + `]}`, nil, Malformed},
		"no colon":            {`{"ActiveJobs" []}`, nil, Malformed},
		"no name":             {`{[]}`, nil, Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			upstream := record(t, answer(200, test.body))
			list, failed := listJobs(t, client(t, upstream.URL, Options{}), nil, Selection{})
			if test.failed != "" {
				require.NotNil(t, failed)
				assert.Equal(t, test.failed, failed.Type)
				return
			}
			require.Nil(t, failed)
			assert.ElementsMatch(t, test.jobs, idsOf(list))
		})
	}
}

type leftOut struct {
	nobody
	jobs atomic.Int64
}

func (l *leftOut) MalformedJobs(jobs int) { l.jobs.Add(int64(jobs)) }

func TestClient_MalformedJobsAreCountedAndLoggedWithoutSecrets(t *testing.T) {
	upstream := record(t, answer(200, listOf(`{"JobId": "`+canary+`"}`, listed(1), `{"`+canary+`": `+canary+`}`)))
	var log bytes.Buffer
	observer := &leftOut{}
	c := client(t, upstream.URL, Options{Observer: observer, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	_, failed := listJobs(t, c, nil, Selection{})
	require.Nil(t, failed)
	assert.EqualValues(t, 2, observer.jobs.Load())
	assert.Contains(t, log.String(), "jobs=2")
	assert.NotContains(t, log.String(), canary[:8])
}

func TestClient_ListIsBoundedInBytesAndJobs(t *testing.T) {
	many := func(w http.ResponseWriter, jobs int) {
		_, _ = io.WriteString(w, `{"ActiveJobs": [{"JobId": "1", "JobStatus": "Pending"}`+strings.Repeat(`,{}`, jobs-1)+`]}`)
	}
	upstream := record(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("JobName") {
		case "fits":
			many(w, maxListed)
		case "many":
			many(w, maxListed+1)
		case "bomb":
			w.Header().Set("Content-Encoding", "gzip")
			packed := gzip.NewWriter(w)
			_, _ = io.WriteString(packed, `{"ActiveJobs": ["`)
			block := strings.Repeat(" ", 1<<20)
			for range maxListBody >> 20 {
				_, _ = io.WriteString(packed, block)
			}
			_ = packed.Close()
		}
	})
	c := client(t, upstream.URL, Options{Timeout: 5 * time.Minute})
	list, failed := listJobs(t, c, &Filter{Name: ptr("fits")}, Selection{})
	require.Nil(t, failed)
	assert.Len(t, list.Jobs, 1)
	byNetHTTP := client(t, upstream.URL, Options{Timeout: 5 * time.Minute, UseProxy: true})
	for name, c := range map[string]*Client{"many": c, "bomb": byNetHTTP} {
		_, failed := listJobs(t, c, &Filter{Name: &name}, Selection{})
		require.NotNil(t, failed, name)
		assert.Equal(t, Malformed, failed.Type)
		assert.Contains(t, failed.Comment, "Filter for fewer jobs")
	}
}

// Of a list that is cut nothing more is read, and its connection is not used again.
func TestClient_ListStopsWhereEnoughWasRead(t *testing.T) {
	written := make(chan int, 1)
	upstream := record(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.WriteString(w, `{"ActiveJobs": [`)
		for i := 59; r.Context().Err() == nil && n < 64<<20; i-- {
			more, err := io.WriteString(w, listed(max(i, 1))+",")
			n += more
			if err != nil {
				break
			}
		}
		written <- n
	})
	list, failed := listJobs(t, client(t, upstream.URL, Options{}), nil, Selection{Most: 3, Read: 40})
	require.Nil(t, failed)
	assert.True(t, list.Cut)
	assert.True(t, list.Ordered)
	assert.Equal(t, []int{59, 58, 57}, idsOf(list))
	assert.Less(t, <-written, 32<<20)
	assert.Less(t, list.Bytes, 64<<10)
}

func TestClient_ListOfACutBodyIsTriedAgain(t *testing.T) {
	for _, opts := range []Options{{}, {UseProxy: true}} {
		var calls atomic.Int64
		upstream := record(t, func(w http.ResponseWriter, _ *http.Request) {
			if calls.Add(1) == 1 {
				w.Header().Set("Content-Length", "5000")
				_, _ = io.WriteString(w, `{"ActiveJobs": [`+listed(1)+","+listed(2))
				return
			}
			_, _ = io.WriteString(w, listOf(listed(3)))
		})
		list, failed := listJobs(t, client(t, upstream.URL, opts), nil, Selection{})
		require.Nil(t, failed)
		assert.Equal(t, []int{3}, idsOf(list), "nothing is used of the first")
		assert.EqualValues(t, 2, calls.Load())
	}
}

func TestClient_ListErrorsTellOfAList(t *testing.T) {
	for _, test := range []struct {
		status  int
		body    string
		kind    ErrorType
		comment string
	}{
		{400, `{"ErrorType": "INVALID_QUERY", "ErrorComment": "` + canary + `"}`, InvalidQuery, "Check the filter."},
		{400, `{"ErrorType": "ACCOUNT_UNPRIVILEGED", "ErrorComment": "Not yours."}`, AccountUnprivileged, "Not yours."},
		{401, ``, BadAPIToken, "Log in again"},
		{403, ``, AccountUnprivileged, "see the list of jobs"},
		{429, ``, RateLimited, "Ask again later"},
		{500, ``, Unavailable, "status 500"},
		{302, ``, Malformed, "redirect"},
		{200, `{`, Malformed, "complete list of jobs"},
	} {
		upstream := record(t, answer(test.status, test.body))
		_, failed := listJobs(t, client(t, upstream.URL, Options{}), nil, Selection{})
		require.NotNil(t, failed)
		assert.Equal(t, test.kind, failed.Type)
		assert.Contains(t, failed.Comment, test.comment)
	}
}

func TestFilter_WhatTheJobAPICannotUnderstandIsRefused(t *testing.T) {
	upstream := record(t, answer(200, listOf()))
	c := client(t, upstream.URL, Options{})
	date := func(year int) *time.Time { return ptr(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)) }
	for comment, filter := range map[string]*Filter{
		"filter.status must be one of AUTHORIZING, COMPLETE, IN_PROCESS, MEDIA_FAILURE, PENDING, REVIEWING": {Status: ptr(JobStatus(Unrecognized))},
		"filter.priority must be one of CRITICAL, ECONOMY":                                                  {Priority: ptr(Priority("x"))},
		"filter.fidelity must be one of MECHANICAL, PREMIUM, PROFESSIONAL:":                                 {Fidelity: ptr(Fidelity("HIGH"))},
		"filter.difficulty must be one of BAD, GOOD, UNKNOWN":                                               {Difficulty: ptr(JobDifficulty(Unrecognized))},
		"filter.name must not be empty":                                                                     {Name: ptr("")},
		"filter.externalId must be a text without control":                                                  {ExternalID: ptr("a\r\nb")},
		"filter.username has 513 bytes, 512 are allowed":                                                    {Username: ptr(strings.Repeat("a", 513))},
		"filter.due has a from that is after its to":                                                        {Due: &DateRange{date(2026), date(2025)}},
		"filter.created must have dates of the years 1 to 9999":                                             {Created: &DateRange{To: date(10000)}},
		"filter.turnaroundHours must not be less than 0":                                                    {TurnaroundHours: &IntRange{From: ptr(-1)}},
		"filter.turnaroundHours has a from that is more":                                                    {TurnaroundHours: &IntRange{ptr(3), ptr(2)}},
	} {
		_, failed := listJobs(t, c, filter, Selection{})
		require.NotNil(t, failed, comment)
		assert.Equal(t, InvalidQuery, failed.Type)
		assert.Contains(t, failed.Comment, comment)
	}
	assert.Empty(t, upstream.requests)
}
