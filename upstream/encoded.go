package upstream

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// EncodedJob is a [Job] as the server keeps it: one [Record], so that many thousand
// cached jobs cost the collector next to nothing. Decoded from a body, or made with
// [Job.Encode]. Two of them are equal (*a == *b) if and only if their jobs are.
//
// It may be shared between requests: nothing ever changes it. Its methods named as the
// fields of a Job decode that field anew with each call.
type EncodedJob struct{ Record }

// Layout is the version of what a [Record] of a job means. It changes with the fields below,
// and with how the text of one is written: programs of unlike versions may share records.
const Layout = "1"

// The fields of an EncodedJob's Record, in the order of [Job]'s.
const (
	FieldID = iota
	FieldName
	FieldMediaLengthSeconds
	FieldExternalID
	FieldPriority
	FieldFidelity
	FieldStatus
	FieldDifficulty
	FieldSourceLanguage
	FieldTargetLanguage
	FieldCreationDate
	FieldAuthorizationDate
	FieldStartDate
	FieldDueDate
	FieldCompletedDate
	FieldReturnDate
	FieldReturnTargets // entries with the fields of a target
	FieldOptions       // entries with the fields of an option
	jobFields
)

// The fields of each entry of FieldReturnTargets.
const (
	TargetKind = iota
	TargetCallbackURL
	TargetSettings
)

// The fields of each entry of FieldOptions.
const (
	OptionName = iota
	OptionValue
)

func (*EncodedJob) result() {}

// IsEntity marks a job as a thing that other systems refer to by its id.
func (*EncodedJob) IsEntity() {}

// Size is the job's memory in bytes.
func (e *EncodedJob) Size() int { return 16 + len(e.Record) }

// returnPeriod is how long after its completion a job may still be returned: the job
// API gives up after half an hour, and five minutes are for clocks that differ.
const returnPeriod = 35 * time.Minute

// Settled says whether the job changes no more, as seen at the moment now: its media
// cannot be read, or it is complete and was returned, has nowhere to be returned to, or
// was not returned within the return period. Its callers give the moment at which the
// job API was asked: what was seen before the period ended may miss the last return.
func (e *EncodedJob) Settled(now time.Time) bool {
	switch {
	case e.Status() == StatusMediaFailure:
		return true
	case e.Status() != StatusComplete:
		return false
	case e.Field(FieldReturnDate) != "" || e.Field(FieldReturnTargets) == "":
		return true
	default:
		end, known := e.ReturnEnd()
		return known && !now.Before(end)
	}
}

// ReturnEnd is when a complete job that waits to be returned settles without it; known
// is false for any other job, and for one without a CompletedDate. Such a job settles
// only by its ReturnDate: no other date bounds its completion from above, so that a
// guess could end a subscription before the return that it waits for.
func (e *EncodedJob) ReturnEnd() (end time.Time, known bool) {
	if e.Status() != StatusComplete || e.Field(FieldReturnDate) != "" || e.Field(FieldReturnTargets) == "" {
		return time.Time{}, false
	}
	completed := e.CompletedDate()
	if completed == nil {
		return time.Time{}, false
	}
	return completed.Add(returnPeriod), true
}

// Job is the job as a Go struct.
func (e *EncodedJob) Job() *Job {
	return &Job{
		ID:                 e.ID(),
		Name:               e.Name(),
		MediaLengthSeconds: e.MediaLengthSeconds(),
		ExternalID:         e.ExternalID(),
		Priority:           e.Priority(),
		Fidelity:           e.Fidelity(),
		Status:             e.Status(),
		Difficulty:         e.Difficulty(),
		SourceLanguage:     e.SourceLanguage(),
		TargetLanguage:     e.TargetLanguage(),
		CreationDate:       e.CreationDate(),
		AuthorizationDate:  e.AuthorizationDate(),
		StartDate:          e.StartDate(),
		DueDate:            e.DueDate(),
		CompletedDate:      e.CompletedDate(),
		ReturnDate:         e.ReturnDate(),
		ReturnTargets:      e.ReturnTargets(),
		Options:            e.Options(),
	}
}

func (e *EncodedJob) ID() string                   { return unquote(e.Field(FieldID)) }
func (e *EncodedJob) Name() *string                { return textOf[string](e.Field(FieldName)) }
func (e *EncodedJob) MediaLengthSeconds() *float64 { return numberOf(e.Field(FieldMediaLengthSeconds)) }
func (e *EncodedJob) ExternalID() *string          { return textOf[string](e.Field(FieldExternalID)) }
func (e *EncodedJob) Priority() *Priority          { return textOf[Priority](e.Field(FieldPriority)) }
func (e *EncodedJob) Fidelity() *Fidelity          { return textOf[Fidelity](e.Field(FieldFidelity)) }
func (e *EncodedJob) Status() JobStatus            { return JobStatus(unquote(e.Field(FieldStatus))) }
func (e *EncodedJob) Difficulty() *JobDifficulty {
	return textOf[JobDifficulty](e.Field(FieldDifficulty))
}
func (e *EncodedJob) SourceLanguage() *string       { return textOf[string](e.Field(FieldSourceLanguage)) }
func (e *EncodedJob) TargetLanguage() *string       { return textOf[string](e.Field(FieldTargetLanguage)) }
func (e *EncodedJob) CreationDate() *time.Time      { return dateOf(e.Field(FieldCreationDate)) }
func (e *EncodedJob) AuthorizationDate() *time.Time { return dateOf(e.Field(FieldAuthorizationDate)) }
func (e *EncodedJob) StartDate() *time.Time         { return dateOf(e.Field(FieldStartDate)) }
func (e *EncodedJob) DueDate() *time.Time           { return dateOf(e.Field(FieldDueDate)) }
func (e *EncodedJob) CompletedDate() *time.Time     { return dateOf(e.Field(FieldCompletedDate)) }
func (e *EncodedJob) ReturnDate() *time.Time        { return dateOf(e.Field(FieldReturnDate)) }

func (e *EncodedJob) ReturnTargets() (targets []ReturnTarget) {
	for entry := range e.Entries(FieldReturnTargets) {
		targets = append(targets, ReturnTarget{
			Kind:        unquote(entry.Field(TargetKind)),
			CallbackURL: textOf[string](entry.Field(TargetCallbackURL)),
			Settings:    jsontext.Value(entry.Field(TargetSettings)),
		})
	}
	return targets
}

func (e *EncodedJob) Options() (options []JobOption) {
	for entry := range e.Entries(FieldOptions) {
		options = append(options, JobOption{
			Name:  unquote(entry.Field(OptionName)),
			Value: jsontext.Value(entry.Field(OptionValue)),
		})
	}
	return options
}
