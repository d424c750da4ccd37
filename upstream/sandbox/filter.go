package sandbox

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// filter is what a list is asked for, https://cielo24.readthedocs.io/en/latest/job_control/job_list.html. A job passes
// where every test does; what it has not got passes none.
type filter struct {
	// account is a user name, everyAccount, or the caller's own.
	account string
	tests   []func(*info) bool
	// createdFrom and createdTo are the dates of creation where they have ends; both belong to it.
	createdFrom, createdTo date
}

const everyAccount = "*"

// The accounts below the token's own; the archive's is below that of the news.
const (
	ownAccount     = Username
	newsAccount    = "example_news"
	archiveAccount = "example_news_archive"
)

var accounts = []string{ownAccount, newsAccount, archiveAccount}

// dateFilters are the dates by their parameters' beginnings, which go on with From or To.
var dateFilters = []struct {
	name string
	of   func(*info) date
}{
	{"CreationDate", func(i *info) date { return i.CreationDate }},
	{"StartDate", func(i *info) date { return i.StartDate }},
	{"DueDate", func(i *info) date { return i.DueDate }},
	{"CompleteDate", func(i *info) date { return i.CompletedDate }},
	{"ReturnDate", func(i *info) date { return i.ReturnDate }},
	{"AuthorizationDate", func(i *info) date { return i.AuthorizationDate }},
}

// valueFilters are those that name one of the documented values.
var valueFilters = []struct {
	name   string
	values []string
	of     func(*info) string
}{
	{"JobStatus", []string{"Authorizing", "Pending", "In Process", "Complete", "Media Failure", "Reviewing"},
		func(i *info) string { return i.JobStatus }},
	{"Fidelity", []string{"MECHANICAL", "PREMIUM", "PROFESSIONAL", "STANDARD", "HIGH"},
		func(i *info) string { return oneSpelling(text(i.Fidelity)) }},
	{"Priority", []string{"STANDARD", "PRIORITY", "ECONOMY", "CRITICAL"},
		func(i *info) string { return text(i.Priority) }},
	{"JobDifficulty", []string{"Good", "Bad", "Unknown"},
		func(i *info) string { return text(i.JobDifficulty) }},
}

// oneSpelling is Job Info's word for a fidelity that has two.
func oneSpelling(fidelity string) string {
	switch fidelity {
	case "PREMIUM":
		return "STANDARD"
	case "PROFESSIONAL":
		return "HIGH"
	}
	return fidelity
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// parseFilter reads the 21 parameters. All of them are optional, none may be empty or be there twice.
func parseFilter(values url.Values) (*filter, *fault) {
	f := &filter{account: ownAccount}
	for _, read := range []func(url.Values) *fault{f.dates, f.values, f.turnaround, f.names, f.username} {
		if fault := read(values); fault != nil {
			return nil, fault
		}
	}
	return f, nil
}

func (f *filter) add(test func(*info) bool) { f.tests = append(f.tests, test) }

// passes says whether the job is asked for, its account aside.
func (f *filter) passes(i *info) bool {
	return !slices.ContainsFunc(f.tests, func(test func(*info) bool) bool { return !test(i) })
}

// owns says whether the account's jobs are asked for.
func (f *filter) owns(account string) bool { return f.account == everyAccount || f.account == account }

// optional is a parameter's value; found is false where it is not there.
func optional(values url.Values, name string) (value string, found bool, f *fault) {
	if _, found = values[name]; found {
		f = once(values, name)
	}
	return values.Get(name), found, f
}

func (f *filter) dates(values url.Values) *fault {
	for _, d := range dateFilters {
		from, _, fault := dates(values, d.name+"From")
		if fault != nil {
			return fault
		}
		_, to, fault := dates(values, d.name+"To")
		if fault != nil {
			return fault
		}
		if !from.IsZero() {
			f.add(func(i *info) bool { return !d.of(i).Before(from.Time) })
		}
		if !to.IsZero() {
			f.add(func(i *info) bool { return !d.of(i).IsZero() && !d.of(i).After(to.Time) })
		}
		if d.name == "CreationDate" {
			f.createdFrom, f.createdTo = from, to
		}
	}
	return nil
}

// dates are the first and the last moment of what the parameter names, zero where it is not there.
func dates(values url.Values, name string) (first, last date, f *fault) {
	value, found, fault := optional(values, name)
	if !found || fault != nil {
		return date{}, date{}, fault
	}
	first, last, err := parseDate(value)
	if err != nil {
		return date{}, date{}, invalidQuery("The parameter " + name + " must be an ISO 8601 date without a zone, such as 2014-08-27T13:40:53 or 2014-08-27.")
	}
	return first, last, nil
}

func (f *filter) values(values url.Values) *fault {
	for _, v := range valueFilters {
		value, found, fault := optional(values, v.name)
		switch {
		case fault != nil:
			return fault
		case !found:
			continue
		case !slices.Contains(v.values, value):
			return invalidQuery("The parameter " + v.name + " must be one of " + strings.Join(v.values, ", ") + ".")
		}
		if v.name == "Fidelity" {
			value = oneSpelling(value)
		}
		f.add(func(i *info) bool { return v.of(i) == value })
	}
	return nil
}

// turnaround tests the hours that were promised.
func (f *filter) turnaround(values url.Values) *fault {
	from, to := math.MinInt, math.MaxInt
	for _, end := range []struct {
		name  string
		hours *int
	}{{"TurnaroundTimeHoursFrom", &from}, {"TurnaroundTimeHoursTo", &to}} {
		value, found, fault := optional(values, end.name)
		if fault != nil {
			return fault
		}
		if !found {
			continue
		}
		var err error
		if *end.hours, err = strconv.Atoi(value); err != nil {
			return invalidQuery("The parameter " + end.name + " must be a whole number, such as 24.")
		}
		f.add(func(i *info) bool {
			hours, known := turnaroundHours(i)
			return known && from <= hours && hours <= to
		})
	}
	return nil
}

// turnaroundHours are those from the creation to the due date: a Job Info does not say what was ordered.
func turnaroundHours(i *info) (int, bool) {
	if i.CreationDate.IsZero() || i.DueDate.IsZero() {
		return 0, false
	}
	return int(math.Round(i.DueDate.Sub(i.CreationDate.Time).Hours())), true
}

func (f *filter) names(values url.Values) *fault {
	pattern, found, fault := optional(values, "JobName")
	if fault != nil {
		return fault
	}
	if found {
		f.add(func(i *info) bool { return i.JobName != nil && matches(pattern, *i.JobName) })
	}
	id, found, fault := optional(values, "ExternalID")
	if found {
		f.add(func(i *info) bool { return text(i.ExternalID) == id })
	}
	return fault
}

func (f *filter) username(values url.Values) *fault {
	name, found, fault := optional(values, "Username")
	switch {
	case fault != nil:
		return fault
	case !found:
		return nil
	case name != everyAccount && !slices.Contains(accounts, name):
		return accountUnprivileged()
	}
	f.account = name
	return nil
}

// matches says whether the whole text is like the pattern, whose * stand for any text.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return text == pattern
	}
	text, found := strings.CutPrefix(text, parts[0])
	for _, part := range parts[1 : len(parts)-1] {
		if found {
			_, text, found = strings.Cut(text, part)
		}
	}
	return found && strings.HasSuffix(text, parts[len(parts)-1])
}
