package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
)

// A Question is one case: what is asked of JobGraph, and the same of a bare handler.
type Question struct {
	Name string
	// Jobs is how many entries the answer has, Calls how many jobs are distinct.
	Jobs, Calls int
	// Hot asks for the same jobs each time; else no job is asked for twice.
	Hot bool
	// ours and theirs have a mark where an id goes, the same for equal ids.
	ours, theirs []byte
}

const selection = "{ ... on Job { id name status priority creationDate } ... on ApiError { type comment } }"

// Questions are the kinds of cold ones.
func Questions() []Question {
	return []Question{List(1, 1), List(10, 10), List(100, 100), Aliases(10), List(100, 10), References(200)}
}

// List asks for the jobs in one list. Beyond the distinct ones, ids come again.
func List(jobs, distinct int) Question {
	ids := marks(jobs, distinct)
	name := fmt.Sprintf("%d ids", jobs)
	switch {
	case jobs == 1:
		name = "1 id"
	case distinct < jobs:
		name += fmt.Sprintf(", %d distinct", distinct)
	}
	return Question{Name: name, Jobs: jobs, Calls: distinct,
		ours:   body("query ($ids: [ID!]!) { job(ids: $ids) "+selection+" }", map[string]any{"ids": ids}),
		theirs: bareBody(ids)}
}

// Aliases asks for as many jobs, each in a field of its own.
func Aliases(jobs int) Question {
	ids := marks(jobs, jobs)
	var declared, fields strings.Builder
	variables := map[string]any{}
	for i, id := range ids {
		fmt.Fprintf(&declared, "$v%d: [ID!]! ", i)
		fmt.Fprintf(&fields, "a%d: job(ids: $v%d) %s ", i, i, selection)
		variables[fmt.Sprintf("v%d", i)] = []string{id}
	}
	return Question{Name: fmt.Sprintf("%d aliases", jobs), Jobs: jobs, Calls: jobs,
		ours:   body("query ("+declared.String()+") { "+fields.String()+"}", variables),
		theirs: bareBody(ids)}
}

// References asks as a gateway does.
func References(jobs int) Question {
	ids := marks(jobs, jobs)
	representations := make([]map[string]string, jobs)
	for i, id := range ids {
		representations[i] = map[string]string{"__typename": "Job", "id": id}
	}
	return Question{Name: fmt.Sprintf("%d references", jobs), Jobs: jobs, Calls: jobs,
		ours: body("query ($r: [_Any!]!) { _entities(representations: $r) { ... on Job { id name status priority creationDate } } }",
			map[string]any{"r": representations}),
		theirs: bareBody(ids)}
}

// Cached is the same question, for jobs that were asked for before.
func (q Question) Cached() Question {
	q.Name, q.Hot = q.Name+", kept", true
	return q
}

// The ids are those of the sandbox's many jobs: a prefix, then 24 digits, of which
// the first 16 are a mark here and a number in what is sent.
const (
	idPrefix = "60000000"
	mark     = "zzzzzzzzzzzzzzzz"
)

func marks(count, distinct int) []string {
	ids := make([]string, count)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s%s%08x", idPrefix, mark, i%distinct)
	}
	return ids
}

func body(query string, variables map[string]any) []byte {
	text, _ := json.Marshal(map[string]any{"query": query, "variables": variables}) // strings alone
	return text
}

func bareBody(ids []string) []byte {
	text, _ := json.Marshal(map[string]any{"ids": ids})
	return text
}

// asked counts the requests of this process, so that no job is asked for twice.
var asked atomic.Int64

// bodies writes one body after another into the same place.
func (q Question) bodies(target Target) func() []byte {
	text := bytes.Clone(q.ours)
	if target.Bare {
		text = bytes.Clone(q.theirs)
	}
	var places []int
	for at := 0; ; {
		next := bytes.Index(text[at:], []byte(mark))
		if next < 0 {
			break
		}
		places = append(places, at+next)
		at += next + len(mark)
	}
	write := func(number int64) {
		digits := fmt.Appendf(nil, "%016x", number)
		for _, place := range places {
			copy(text[place:], digits)
		}
	}
	write(0)
	return func() []byte {
		if !q.Hot {
			write(asked.Add(1))
		}
		return text
	}
}

// check says whether an answer has all its jobs.
func (q Question) check(answer []byte) error {
	if got := bytes.Count(answer, []byte(`"news_at_noon"`)); got != q.Jobs {
		return fmt.Errorf("%s: %d jobs of %d: %.300s", q.Name, got, q.Jobs, answer)
	}
	return nil
}
