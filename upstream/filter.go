package upstream

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Filter says which jobs a list has: those that all of its fields let through. A nil
// field lets every job through.
type Filter struct {
	Status     *JobStatus
	Priority   *Priority
	Fidelity   *Fidelity
	Difficulty *JobDifficulty
	// Name may hold the wildcard *.
	Name       *string
	ExternalID *string
	// Username is a sub-account's, or * for the token's own account and all below it; nil
	// is the own one alone.
	Username *string

	Created, Authorized, Started, Due, Completed, Returned *DateRange

	TurnaroundHours *IntRange
}

// DateRange is from one date to another, both included; nil: no bound.
type DateRange struct{ From, To *time.Time }

// IntRange is from one number to another, both included; nil: no bound.
type IntRange struct{ From, To *int }

// maxFilterText bounds each text of a filter, in bytes.
const maxFilterText = 512

// Check says what of the filter the job API could not understand, for whoever wrote it: an
// [*Error] of the type InvalidQuery.
func (f *Filter) Check() error {
	if f == nil {
		return nil
	}
	checks := []error{
		checkEnum("status", f.Status, jobStatuses),
		checkEnum("priority", f.Priority, priorities),
		checkEnum("fidelity", f.Fidelity, fidelities),
		checkEnum("difficulty", f.Difficulty, difficulties),
		checkText("name", f.Name),
		checkText("externalId", f.ExternalID),
		checkText("username", f.Username),
	}
	for _, dates := range f.dates() {
		checks = append(checks, dates.of.check(dates.field))
	}
	if hours := f.TurnaroundHours; hours != nil {
		checks = append(checks, hours.check("turnaroundHours"))
	}
	return cmp.Or(checks...)
}

func badFilter(format string, args ...any) error {
	return &Error{Type: InvalidQuery, Comment: fmt.Sprintf(format, args...)}
}

func checkEnum[E ~string](field string, value *E, table map[E]E) error {
	if value == nil {
		return nil
	}
	if _, known := spelling(*value, table); known {
		return nil
	}
	var values []string
	for _, value := range table {
		values = append(values, string(value))
	}
	slices.Sort(values)
	return badFilter("filter.%s must be one of %s: no job can be asked for by any other.",
		field, strings.Join(slices.Compact(values), ", "))
}

// spelling is upstream's of an enum's value. Of two the enum's own is what a filter takes.
func spelling[E ~string](value E, table map[E]E) (E, bool) {
	if table[value] == value {
		return value, value != ""
	}
	for spelling, known := range table {
		if known == value {
			return spelling, true
		}
	}
	return "", false
}

func checkText(field string, text *string) error {
	switch {
	case text == nil:
		return nil
	case *text == "":
		return badFilter("filter.%s must not be empty. Leave it out to have every job.", field)
	case len(*text) > maxFilterText:
		return badFilter("filter.%s has %d bytes, %d are allowed.", field, len(*text), maxFilterText)
	case !utf8.ValidString(*text), strings.ContainsFunc(*text, unicode.IsControl):
		return badFilter("filter.%s must be a text without control characters.", field)
	}
	return nil
}

func (r *DateRange) check(field string) error {
	switch {
	case r == nil:
		return nil
	case !inYears(r.From), !inYears(r.To):
		return badFilter("filter.%s must have dates of the years 1 to 9999, in UTC.", field)
	case r.From != nil && r.To != nil && r.To.Before(*r.From):
		return badFilter("filter.%s has a from that is after its to. Swap them.", field)
	}
	return nil
}

// inYears says whether a date can be written in ISO 8601, a second more or less aside.
func inYears(date *time.Time) bool {
	if date == nil {
		return true
	}
	year := date.UTC().Year()
	return 1 <= year && year <= 9999
}

func (r *IntRange) check(field string) error {
	switch {
	case r.From != nil && *r.From < 0, r.To != nil && *r.To < 0:
		return badFilter("filter.%s must not be less than 0.", field)
	case r.From != nil && r.To != nil && *r.To < *r.From:
		return badFilter("filter.%s has a from that is more than its to. Swap them.", field)
	}
	return nil
}

// filterDates is one of a filter's ranges: the schema's name of it, upstream's, and what
// of a job it is about.
type filterDates struct {
	of              *DateRange
	field, upstream string
	n               int
}

func (f *Filter) dates() [6]filterDates {
	return [...]filterDates{
		{f.Created, "created", "CreationDate", FieldCreationDate},
		{f.Authorized, "authorized", "AuthorizationDate", FieldAuthorizationDate},
		{f.Started, "started", "StartDate", FieldStartDate},
		{f.Due, "due", "DueDate", FieldDueDate},
		{f.Completed, "completed", "CompleteDate", FieldCompletedDate},
		{f.Returned, "returned", "ReturnDate", FieldReturnDate},
	}
}

// Query is the filter as the job API's list takes it, "" for none. Equal filters have
// equal queries.
func (f *Filter) Query() string {
	if f == nil {
		return ""
	}
	var q query
	addEnum(&q, "JobStatus", f.Status, jobStatuses)
	addEnum(&q, "Priority", f.Priority, priorities)
	addEnum(&q, "Fidelity", f.Fidelity, fidelities)
	addEnum(&q, "JobDifficulty", f.Difficulty, difficulties)
	q.add("JobName", f.Name)
	q.add("ExternalID", f.ExternalID)
	q.add("Username", f.Username)
	for _, dates := range f.dates() {
		if dates.of != nil {
			q.addDate(dates.upstream+"From", dates.of.From, 0)
			q.addDate(dates.upstream+"To", dates.of.To, time.Second-1)
		}
	}
	if hours := f.TurnaroundHours; hours != nil {
		q.addInt("TurnaroundTimeHoursFrom", hours.From)
		q.addInt("TurnaroundTimeHoursTo", hours.To)
	}
	return q.String()
}

type query struct{ strings.Builder }

func (q *query) add(name string, value *string) {
	if value != nil {
		q.WriteString("&" + name + "=" + url.QueryEscape(*value))
	}
}

func (q *query) addInt(name string, value *int) {
	if value != nil {
		q.WriteString("&" + name + "=" + strconv.Itoa(*value))
	}
}

// addDate writes a date in whole seconds, which are all that is documented of a filter's:
// the job that is not wanted for it is left out by [Filter.lets].
func (q *query) addDate(name string, date *time.Time, up time.Duration) {
	if date == nil {
		return
	}
	second := date.UTC().Add(up).Truncate(time.Second)
	if second.Year() > 9999 {
		return // no date that can be written is later
	}
	text := second.Format("2006-01-02T15:04:05")
	q.add(name, &text)
}

func addEnum[E ~string](q *query, name string, value *E, table map[E]E) {
	if value != nil {
		spelling, _ := spelling(*value, table)
		text := string(spelling)
		q.add(name, &text)
	}
}

// lets says whether the job's dates are in the filter's ranges, to the microsecond.
func (f *Filter) lets(job *EncodedJob) bool {
	if f == nil {
		return true
	}
	for _, dates := range f.dates() {
		if dates.of != nil && !dates.of.has(job.Field(dates.n)) {
			return false
		}
	}
	return true
}

func (r *DateRange) has(text string) bool {
	if r.From == nil && r.To == nil {
		return true
	}
	date := dateOf(text)
	return date != nil && (r.From == nil || !date.Before(*r.From)) && (r.To == nil || !date.After(*r.To))
}
