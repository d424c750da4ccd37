package upstream

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Result is what asking for one job gives: an [*EncodedJob] or an [*Error].
type Result interface{ result() }

// Job is the Job Info object of the cielo24 job API, for Go code that wants a struct.
// The server itself keeps and hands on an [EncodedJob].
//
// Pointers are nil and lists are empty where upstream gave null or nothing:
// a job that is not that far yet has no dates, length, difficulty or targets.
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
