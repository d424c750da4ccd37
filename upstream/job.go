package upstream

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Result is what asking for one job gives: a [*Job] or an [*Error].
type Result interface{ result() }

// Job is the Job Info object of the cielo24 job API.
//
// Pointers are nil and lists are empty where upstream gave null or nothing:
// a job that is not that far yet has no dates, length, difficulty or targets.
// A Job may be shared between requests: nobody writes to it after it was decoded.
type Job struct {
	ID   string
	Name *string
	// MediaLengthSeconds is the length of the media in seconds.
	MediaLengthSeconds *float64
	// ExternalID is the caller's own name for the job; upstream spells it
	// ExternalID or ExternalId.
	ExternalID     *string
	Priority       *Priority
	Fidelity       *Fidelity
	Status         JobStatus
	Difficulty     *JobDifficulty
	SourceLanguage *string
	TargetLanguage *string
	// The dates have microseconds and are read as UTC where upstream names no zone.
	CreationDate      *time.Time
	AuthorizationDate *time.Time
	StartDate         *time.Time
	DueDate           *time.Time
	CompletedDate     *time.Time
	ReturnDate        *time.Time
	ReturnTargets     []ReturnTarget
	Options           []JobOption
}

func (*Job) result() {}

// IsEntity marks a Job as a thing that other systems refer to by its id.
func (*Job) IsEntity() {}

// ReturnTarget is one place that the finished work is sent to.
// Upstream maps a target's name to its settings or to a list of them: each
// entry of such a list is a ReturnTarget of its own.
type ReturnTarget struct {
	// Kind is the target's name upstream, such as "url".
	Kind string
	// CallbackURL is the callback_url of the settings, nil where they have none.
	// It may carry credentials: it is data for the caller and never logged.
	CallbackURL *string
	// Settings is what upstream gave, as JSON; {} where it gave null.
	Settings jsontext.Value
}

// JobOption is one of a job's processing options.
type JobOption struct {
	Name string
	// Value is what upstream gave, as JSON; {} where it gave null.
	Value jsontext.Value
}

// returnPeriod is how long after its completion a job may still be returned: the job
// API gives up after half an hour, and five minutes are for clocks that differ.
const returnPeriod = 35 * time.Minute

// Settled says whether the job changes no more, as seen at the moment now: its media
// cannot be read, or it is complete and was returned, has nowhere to be returned to, or
// was not returned within the return period. Its callers give the moment at which the
// job API was asked: what was seen before the period ended may miss the last return.
func (j *Job) Settled(now time.Time) bool {
	switch {
	case j.Status == StatusMediaFailure:
		return true
	case j.Status != StatusComplete:
		return false
	case j.ReturnDate != nil || len(j.ReturnTargets) == 0:
		return true
	default:
		end, known := j.ReturnEnd()
		return known && !now.Before(end)
	}
}

// ReturnEnd is when a complete job that waits to be returned settles without it; known
// is false for any other job, and for one without a CompletedDate. Such a job settles
// only by its ReturnDate: no other date bounds its completion from above, so that a
// guess could end a subscription before the return that it waits for.
func (j *Job) ReturnEnd() (end time.Time, known bool) {
	if j.Status != StatusComplete || j.ReturnDate != nil || len(j.ReturnTargets) == 0 || j.CompletedDate == nil {
		return time.Time{}, false
	}
	return j.CompletedDate.Add(returnPeriod), true
}
