package upstream

// Each enum's values are named as JobGraph's clients see them. Upstream's own
// spellings, from its published documentation, are the keys of the tables.
type (
	// JobStatus says how far a job is.
	JobStatus string
	// Priority says how soon a job is worked on.
	Priority string
	// Fidelity says how much care goes into a job.
	Fidelity string
	// JobDifficulty is upstream's judgement of the media.
	JobDifficulty string
)

// Unrecognized stands for a value that upstream sent and that this version
// does not know. Every enum has it.
const Unrecognized = "UNRECOGNIZED"

const (
	StatusAuthorizing  JobStatus = "AUTHORIZING"
	StatusPending      JobStatus = "PENDING"
	StatusInProcess    JobStatus = "IN_PROCESS"
	StatusReviewing    JobStatus = "REVIEWING"
	StatusMediaFailure JobStatus = "MEDIA_FAILURE"
	StatusComplete     JobStatus = "COMPLETE"
)

var (
	jobStatuses = map[JobStatus]JobStatus{
		"Authorizing":   StatusAuthorizing,
		"Pending":       StatusPending,
		"In Process":    StatusInProcess,
		"Reviewing":     StatusReviewing,
		"Media Failure": StatusMediaFailure,
		"Complete":      StatusComplete,
	}
	// Older jobs carry ECONOMY and CRITICAL.
	priorities = map[Priority]Priority{
		"ECONOMY":  "ECONOMY",
		"STANDARD": "STANDARD",
		"PRIORITY": "PRIORITY",
		"CRITICAL": "CRITICAL",
	}
	// Job Info spells PREMIUM as STANDARD and PROFESSIONAL as HIGH.
	fidelities = map[Fidelity]Fidelity{
		"MECHANICAL":   "MECHANICAL",
		"PREMIUM":      "PREMIUM",
		"STANDARD":     "PREMIUM",
		"PROFESSIONAL": "PROFESSIONAL",
		"HIGH":         "PROFESSIONAL",
	}
	difficulties = map[JobDifficulty]JobDifficulty{
		"Good":    "GOOD",
		"Bad":     "BAD",
		"Unknown": "UNKNOWN",
	}
)

// recognize turns upstream's spelling of an enum, a JSON text or nothing, into the enum's
// own, in its place. What the table does not have becomes Unrecognized and is reported.
func recognize[E ~string](field string, text []byte, table map[E]E, report func(field, value string)) []byte {
	if len(text) == 0 {
		return text
	}
	spelling, _ := unquoted(text)
	value, ok := table[E(spelling)]
	if !ok {
		report(field, string(spelling))
		value = Unrecognized
	}
	return append(append(append(text[:0], '"'), value...), '"')
}
