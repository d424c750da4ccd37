package selected

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"jobgraph/upstream"
)

// The schema's object types that hold data, field for field.

var job = object[upstream.Job]{
	name:       "Job",
	conditions: []string{"Job", "JobResult", "_Entity"},
	fields: map[string]field[upstream.Job]{
		"id":                 text(func(j *upstream.Job) string { return j.ID }),
		"name":               optional(texts[string](), func(j *upstream.Job) *string { return j.Name }),
		"mediaLengthSeconds": optional(floats, func(j *upstream.Job) *float64 { return j.MediaLengthSeconds }),
		"externalId":         optional(texts[string](), func(j *upstream.Job) *string { return j.ExternalID }),
		"priority":           optional(texts[upstream.Priority](), func(j *upstream.Job) *upstream.Priority { return j.Priority }),
		"fidelity":           optional(texts[upstream.Fidelity](), func(j *upstream.Job) *upstream.Fidelity { return j.Fidelity }),
		"status":             text(func(j *upstream.Job) upstream.JobStatus { return j.Status }),
		"difficulty":         optional(texts[upstream.JobDifficulty](), func(j *upstream.Job) *upstream.JobDifficulty { return j.Difficulty }),
		"sourceLanguage":     optional(texts[string](), func(j *upstream.Job) *string { return j.SourceLanguage }),
		"targetLanguage":     optional(texts[string](), func(j *upstream.Job) *string { return j.TargetLanguage }),
		"creationDate":       optional(dates, func(j *upstream.Job) *time.Time { return j.CreationDate }),
		"authorizationDate":  optional(dates, func(j *upstream.Job) *time.Time { return j.AuthorizationDate }),
		"startDate":          optional(dates, func(j *upstream.Job) *time.Time { return j.StartDate }),
		"dueDate":            optional(dates, func(j *upstream.Job) *time.Time { return j.DueDate }),
		"completedDate":      optional(dates, func(j *upstream.Job) *time.Time { return j.CompletedDate }),
		"returnDate":         optional(dates, func(j *upstream.Job) *time.Time { return j.ReturnDate }),
		"returnTargets":      list(returnTarget, func(j *upstream.Job) []upstream.ReturnTarget { return j.ReturnTargets }),
		"options":            list(jobOption, func(j *upstream.Job) []upstream.JobOption { return j.Options }),
	},
}

var returnTarget = object[upstream.ReturnTarget]{
	name:       "ReturnTarget",
	conditions: []string{"ReturnTarget"},
	fields: map[string]field[upstream.ReturnTarget]{
		"kind":        text(func(t *upstream.ReturnTarget) string { return t.Kind }),
		"callbackUrl": optional(texts[string](), func(t *upstream.ReturnTarget) *string { return t.CallbackURL }),
		"settings":    raw(func(t *upstream.ReturnTarget) jsontext.Value { return t.Settings }),
	},
}

var jobOption = object[upstream.JobOption]{
	name:       "JobOption",
	conditions: []string{"JobOption"},
	fields: map[string]field[upstream.JobOption]{
		"name":  text(func(o *upstream.JobOption) string { return o.Name }),
		"value": raw(func(o *upstream.JobOption) jsontext.Value { return o.Value }),
	},
}

var apiError = object[upstream.Error]{
	name:       "ApiError",
	conditions: []string{"ApiError", "JobResult"},
	fields: map[string]field[upstream.Error]{
		"type":         text(func(e *upstream.Error) upstream.ErrorType { return e.Type }),
		"comment":      text(func(e *upstream.Error) string { return e.Comment }),
		"jobId":        text(func(e *upstream.Error) string { return e.JobID }),
		"upstreamType": optional(texts[string](), func(e *upstream.Error) *string { return e.UpstreamType }),
		"retryable": leaf(
			func(*upstream.Error) int { return len("false") },
			func(to []byte, e *upstream.Error) []byte { return strconv.AppendBool(to, e.Retryable()) }),
		"retryAfterSeconds": optional(ints, (*upstream.Error).RetryAfterSeconds),
	},
}
