package projection_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"time"

	"jobgraph/upstream"
)

// randomJobs makes jobs with all that a field may have.
type randomJobs struct{ *rand.Rand }

func (r randomJobs) job() upstream.Job {
	job := upstream.Job{
		ID: r.text(), Name: maybe(r, r.text), MediaLengthSeconds: maybe(r, r.number), ExternalID: maybe(r, r.text),
		Priority:   maybe(r, enum[upstream.Priority](r, "ECONOMY", "CRITICAL", upstream.Unrecognized)),
		Fidelity:   maybe(r, enum[upstream.Fidelity](r, "MECHANICAL", "PREMIUM", upstream.Unrecognized)),
		Status:     enum(r, upstream.StatusPending, upstream.StatusInProcess, upstream.StatusComplete)(),
		Difficulty: maybe(r, enum[upstream.JobDifficulty](r, "GOOD", "BAD", upstream.Unrecognized)), SourceLanguage: maybe(r, r.text),
		TargetLanguage: maybe(r, r.text), CreationDate: maybe(r, r.date), AuthorizationDate: maybe(r, r.date),
		StartDate: maybe(r, r.date), DueDate: maybe(r, r.date), CompletedDate: maybe(r, r.date), ReturnDate: maybe(r, r.date),
	}
	for range r.count() {
		job.ReturnTargets = append(job.ReturnTargets, upstream.ReturnTarget{Kind: r.text(), CallbackURL: maybe(r, r.text), Settings: r.value(0)})
	}
	for range r.count() {
		job.Options = append(job.Options, upstream.JobOption{Name: r.text(), Value: r.value(0)})
	}
	return job
}

// count is mostly small and sometimes large.
func (r randomJobs) count() int { return r.IntN([]int{1, 3, 3, 200}[r.IntN(4)]) }

func (r randomJobs) text() string {
	var text strings.Builder
	for range r.IntN(6) {
		text.WriteString([]string{"plain", " ", `"`, `\`, "/", "\n", "\t", "\r", "<b>&", "é", "漢字", "🎬", "\u202e", "\ufffd", "null", "\x7f"}[r.IntN(16)])
	}
	return text.String()
}

func (r randomJobs) number() float64 {
	return []float64{0, 1, -1, 607.81, 1e6, 1e20, 1e21, 1e-5, 5e-324, r.Float64(), r.NormFloat64() * 1e9, float64(r.Int64())}[r.IntN(12)]
}

// date has none to nine digits of the second, in any zone.
func (r randomJobs) date() time.Time {
	digit := []int{1, 10, 1000, 1e6, 1e8, 1e9}[r.IntN(6)]
	zone := time.FixedZone("", 60*(r.IntN(48*60)-24*60))
	return time.Unix(r.Int64N(5e9)-1e9, int64(r.IntN(1e9)/digit*digit)).In(zone)
}

// value has space wherever JSON may.
func (r randomJobs) value(depth int) []byte {
	var value any
	switch n := r.IntN(6); {
	case n == 0 && depth < 3:
		value = map[string]any{r.text(): json.RawMessage(r.value(depth + 1)), "": nil}
	case n == 1 && depth < 3:
		value = []any{json.RawMessage(r.value(depth + 1)), r.number()}
	case n == 2:
		value = r.number()
	case n == 3:
		value = r.IntN(2) == 0
	default:
		value = r.text()
	}
	text, err := json.MarshalIndent(value, "", []string{"", " ", "\t"}[r.IntN(3)])
	if err != nil {
		panic(err)
	}
	return text
}

func enum[E ~string](r randomJobs, values ...E) func() E {
	return func() E { return values[r.IntN(len(values))] }
}

func maybe[T any](r randomJobs, value func() T) *T {
	if r.IntN(3) == 0 {
		return nil
	}
	return new(value())
}
