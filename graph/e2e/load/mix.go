package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// An exchange is what one caller asks, and what must come: the answer's pieces, one after
// the other. A piece has more than one form where the job API may fail or not. They are
// made where there is an answer: what a refusal costs here is taken from the server.
type exchange struct {
	body []byte
	want func() [][]string
}

// Mix makes exchanges as a busy hour has them, over [API]: three of five are cold, and of
// their calls 4 in 100 fail; the rest is cached, changes or does not exist.
type Mix struct{ random *rand.Rand }

// NewMix has a random order of its own.
func NewMix() Mix { return Mix{rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))} }

// The jobs that are asked for again and again.
const (
	hotLists   = 50
	hotActives = 100
	missing    = 1000
)

var (
	byID     = operation("query ($id: ID!) { jobById(id: $id) " + busySelection + " }")
	byList   = operation("query ($ids: [ID!]!) { job(ids: $ids) " + busySelection + " }")
	byFields = operation(aliased(10))
)

const busySelection = "{ ... on Job { id name status priority creationDate } ... on ApiError { type jobId retryable } }"

func operation(query string) string {
	text, _ := json.Marshal(query) // a text alone
	return `{"query":` + string(text) + `,"variables":`
}

func aliased(fields int) string {
	var declared, selected strings.Builder
	for i := range fields {
		fmt.Fprintf(&declared, "$v%d: ID! ", i)
		fmt.Fprintf(&selected, "a%d: jobById(id: $v%d) %s ", i, i, busySelection)
	}
	return "query (" + declared.String() + ") { " + selected.String() + "}"
}

func (m Mix) next() exchange {
	switch n := m.random.IntN(100); {
	case n < 40:
		return one(m.cold())
	case n < 55:
		return list(m.cold(), m.cold(), m.cold(), m.cold(), m.cold())
	case n < 60:
		return m.fields()
	case n < 80:
		first, ids := 10*m.random.Int64N(hotLists), make([]string, 10)
		for i := range ids {
			ids[i] = id(settledJob, first+int64(i))
		}
		return list(ids...)
	case n < 92:
		return one(id(activeJob, m.random.Int64N(hotActives)))
	default:
		return list(id(settledJob, m.random.Int64N(10*hotLists)), id(missingJob, m.random.Int64N(missing)), "zz")
	}
}

// cold is a job that nobody has asked for. One in a hundred always fails, three may: with
// a second attempt for each that fails, 4 % of the calls of the job API.
func (m Mix) cold() string {
	number := asked.Add(1) << 16 // no job of those that are asked for again
	switch n := m.random.IntN(100); {
	case n == 0:
		return id(failingJob, number)
	case n <= 3:
		return id(flickeringJob, number)
	default:
		return id(settledJob, number)
	}
}

func one(id string) exchange {
	return exchange{[]byte(byID + `{"id":"` + id + `"}}`), func() [][]string {
		return [][]string{{`{"data":{"jobById":`}, forms(id), {`}}`}}
	}}
}

func list(ids ...string) exchange {
	return exchange{[]byte(byList + `{"ids":["` + strings.Join(ids, `","`) + `"]}}`), func() [][]string {
		want := [][]string{{`{"data":{"job":[`}}
		for i, id := range ids {
			if i > 0 {
				want = append(want, []string{","})
			}
			want = append(want, forms(id))
		}
		return append(want, []string{`]}}`})
	}}
}

func (m Mix) fields() exchange {
	body, ids := []byte(byFields), make([]string, 10)
	for i := range ids {
		ids[i] = m.cold()
		body = fmt.Appendf(body, `%c"v%d":"%s"`, "{,"[min(i, 1)], i, ids[i])
	}
	return exchange{append(body, "}}"...), func() [][]string {
		want, before := [][]string{}, `{"data":{`
		for i, id := range ids {
			want = append(want, []string{fmt.Sprintf(`%s"a%d":`, before, i)}, forms(id))
			before = ","
		}
		return append(want, []string{`}}`})
	}}
}

// forms are what may be said of a job.
func forms(id string) []string {
	job := func(status string) string {
		return `{"id":"` + id + `","name":"job ` + id + `","status":"` + status + `","priority":"STANDARD","creationDate":"2014-08-27T14:00:06.472706Z"}`
	}
	failure := func(errorType string, retryable bool) string {
		return fmt.Sprintf(`{"type":"%s","jobId":"%s","retryable":%t}`, errorType, id, retryable)
	}
	switch id[:2] {
	case activeJob:
		return []string{job("IN_PROCESS")}
	case missingJob:
		return []string{failure("ITEM_NOT_FOUND", false)}
	case failingJob:
		return []string{failure("UPSTREAM_UNAVAILABLE", true)}
	case flickeringJob:
		return []string{job("COMPLETE"), failure("UPSTREAM_UNAVAILABLE", true)}
	case settledJob:
		return []string{job("COMPLETE")}
	default:
		return []string{failure("INVALID_QUERY", false)}
	}
}

// right says whether the answer is what must come, byte for byte.
func (e exchange) right(answer []byte) bool {
	rest := bytes.TrimSpace(answer)
	for _, forms := range e.want() {
		before := rest
		for _, form := range forms {
			if after, ok := bytes.CutPrefix(rest, []byte(form)); ok {
				rest = after
				break
			}
		}
		if len(rest) == len(before) {
			return false
		}
	}
	return len(rest) == 0
}
