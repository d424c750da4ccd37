package faults

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// List stands for the id in a request for a list.
const List = "list"

// Listed are the ids of the list's jobs, the newest first.
func Listed() []string { return []string{"e5", "d4", "c3", "b2", "a1"} }

// Lists are the faults that one server can show with its list. Where Want is "", the newest
// jobs of the list are those that Listed gives, whatever else is in it.
func Lists(elsewhere string) []*Fault {
	return slices.Concat(connections(), listBodies(), statuses(), redirects(elsewhere))
}

// listed is a job of a list. Without a date it is in every window.
type listed struct{ date, text string }

const dateLayout = "2006-01-02T15:04:05"

var started = time.Now().UTC().Add(-time.Minute)

// listedJob was created so many seconds before the program's start.
func listedJob(id string, age int, more string) listed {
	date := started.Add(-time.Duration(age) * time.Second).Format(dateLayout)
	return listed{date, jobWith(id, fmt.Sprintf(`, "CreationDate": %q%s`, date, more))}
}

// goodJobs are the list's jobs, the newest first.
func goodJobs() []listed {
	var jobs []listed
	for i, id := range Listed() {
		jobs = append(jobs, listedJob(id, i, ""))
	}
	return jobs
}

// olderJobs are many of a size, each older than the one before it and than all good ones.
func olderJobs(jobs, size int) []listed { return filler(jobs, size, 1) }

// jobsAtOnce are many of a size, created in the same second as the oldest good one, and
// listed after it.
func jobsAtOnce(jobs, size int) []listed { return filler(jobs, size, 0) }

func filler(jobs, size, apart int) []listed {
	list, more := make([]listed, jobs), fmt.Sprintf(`, "SourceLanguage": %q`, strings.Repeat("a", size))
	for i := range list {
		list[i] = listedJob(fmt.Sprintf("0%07x", i), len(Listed())-1+(i+1)*apart, more)
	}
	return list
}

func undated(texts ...string) []listed {
	var jobs []listed
	for _, text := range texts {
		jobs = append(jobs, listed{"", text})
	}
	return jobs
}

func reversed(jobs []listed) []listed {
	slices.Reverse(jobs)
	return jobs
}

// listOf has the jobs of the window that the query asks for.
func listOf(query url.Values, jobs []listed) string {
	from, to := query.Get("CreationDateFrom"), query.Get("CreationDateTo")
	var texts []string
	for _, job := range jobs {
		if job.date == "" || job.date >= from && (to == "" || job.date <= to) {
			texts = append(texts, job.text)
		}
	}
	return `{"Username": "account", "ActiveJobs": [` + strings.Join(texts, ", ") + `]}`
}

// list answers with what is made of the jobs when they are asked for: many are large.
func list(jobs func() []listed, text func(string) string) func(*Conn, string) {
	return func(c *Conn, _ string) { _ = c.answer(200, "", text(listOf(c.query, jobs()))) }
}

func same(text string) string { return text }

func replacing(pairs ...string) func(string) string { return strings.NewReplacer(pairs...).Replace }

func listBodies() []*Fault {
	good := listOf(nil, goodJobs())
	var faults []*Fault
	for name, text := range map[string]string{
		"HTML":                 "<!doctype html><title>Welcome</title>",
		"empty":                "",
		"null":                 "null",
		"a list alone":         "[" + Job("a1") + "]",
		"an empty object":      "{}",
		"a job":                Job("a1"),
		"jobs by their ids":    `{"ActiveJobs": {"a1": ` + Job("a1") + `}}`,
		"jobs as a text":       `{"ActiveJobs": "none"}`,
		"cut between jobs":     good[:strings.LastIndex(good, ", {")],
		"cut in a job":         good[:len(good)-20],
		"cut before the end":   good[:len(good)-1],
		"two documents":        good + good,
		"two lists of jobs":    `{"ActiveJobs": [], "ActiveJobs": []}`,
		"only NUL":             strings.Repeat("\x00", 100),
		"a job without an end": `{"ActiveJobs": [` + strings.Repeat("[", 1000),
	} {
		faults = append(faults, &Fault{Name: "list: " + name, Want: malformed, do: body(func(string) string { return text })})
	}
	for name, jobs := range map[string]func() []listed{
		"wrong types": among(`{"JobId": 1, "JobStatus": ["Complete"]}`, `{"JobId": "f1", "JobStatus": 7}`, `"job"`, `null`, `7`, `[]`, `{}`,
			jobWith("f2", `, "CreationDate": 5`)),
		"malformed jobs": among(`{"JobId": "not-hexadecimal", "JobStatus": "Complete"}`, `{"JobStatus": "Complete"}`,
			jobWith("f3", `, "CreationDate": "2014-02-30T25:00:00"`), jobWith("f4", ", \"SourceLanguage\": \"\xff\xfe\""),
			jobWith("f5", `, "MediaLengthSeconds": 1e400`), jobWith("f6", `, "JobId": "f7"`)),
		"100,000 levels":          among(jobWith("f8", `, "Options": {"a": `+nested(100_000)+`}`)),
		"a large job":             among(jobWith("f9", `, "SourceLanguage": "`+strings.Repeat("a", 2<<20)+`"`)),
		"duplicates":              func() []listed { return append(goodJobs(), goodJobs()...) },
		"neighbouring duplicates": func() []listed { return slices.Concat(goodJobs()[:1], goodJobs()[:2], goodJobs()[1:]) },
		"unsorted":                func() []listed { return slices.Concat(goodJobs()[3:], goodJobs()[1:3], goodJobs()[:1]) },
		"sorted the other way":    func() []listed { return reversed(goodJobs()) },
		"30 MB":                   func() []listed { return append(goodJobs(), olderJobs(3_000, 10_000)...) },
		"30 MB, unsorted": func() []listed {
			older := olderJobs(3_000, 10_000)
			return slices.Concat(older[:1_500], goodJobs()[2:], older[1_500:], goodJobs()[:2])
		},
		"30 MB, sorted the other way": func() []listed { return reversed(append(goodJobs(), olderJobs(3_000, 10_000)...)) },
		"30 MB at once":               func() []listed { return append(goodJobs(), jobsAtOnce(3_000, 10_000)...) },
	} {
		faults = append(faults, &Fault{Name: "list: " + name, Large: strings.HasPrefix(name, "30 MB"), do: list(jobs, same)})
	}
	for name, text := range map[string]func(string) string{
		"trailing commas": replacing(`"Complete"`, `"Complete",`, `, "CreationDate"`, ` "CreationDate"`, `]}`, `,],}`),
		"other members":   replacing(`{"Username"`, `{"Page": {"ActiveJobs": [1]}, "Username"`),
		"a null account":  replacing(`"account"`, `null`),
	} {
		faults = append(faults, &Fault{Name: "list: " + name, do: list(goodJobs, text)})
	}
	faults = append(faults, &Fault{Name: "list: 70 MB", Want: malformed, Large: true, do: body(func(string) string {
		return `{"ActiveJobs": [` + strings.Repeat(" ", 70<<20) + `]}`
	})})
	bomb, whole := gzipped(100<<20), packed(good)
	gzip := func(name, want, body string) *Fault {
		return &Fault{Name: "list: " + name, Want: want, do: func(c *Conn, _ string) { _ = c.answer(200, "Content-Encoding: gzip\r\n", body) }}
	}
	return append(faults, gzip("gzip bomb", malformed, bomb), gzip("half of a gzip", malformed, whole[:len(whole)/2]), gzip("gzip", "", whole))
}

// among has bad jobs before, between and after the good ones.
func among(bad ...string) func() []listed {
	return func() []listed {
		return slices.Concat(undated(bad...), goodJobs()[:3], undated(bad...), goodJobs()[3:], undated(bad...))
	}
}
