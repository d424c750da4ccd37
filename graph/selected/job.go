package selected

import (
	"strconv"
	"time"

	"jobgraph/upstream"
)

// The schema's object types that hold data, field for field.

var job = object[upstream.Job]{
	name:       "Job",
	conditions: []string{"Job", "JobResult", "_Entity"},
	fields: map[string]field[upstream.Job]{
		"id":                 text(func(j *upstream.Job) string { return j.ID }),
		"name":               nullable(appendText, func(j *upstream.Job) *string { return j.Name }),
		"mediaLengthSeconds": nullable(appendFloat, func(j *upstream.Job) *float64 { return j.MediaLengthSeconds }),
		"externalId":         nullable(appendText, func(j *upstream.Job) *string { return j.ExternalID }),
		"priority":           nullable(appendText, func(j *upstream.Job) *upstream.Priority { return j.Priority }),
		"fidelity":           nullable(appendText, func(j *upstream.Job) *upstream.Fidelity { return j.Fidelity }),
		"status":             text(func(j *upstream.Job) upstream.JobStatus { return j.Status }),
		"difficulty":         nullable(appendText, func(j *upstream.Job) *upstream.JobDifficulty { return j.Difficulty }),
		"sourceLanguage":     nullable(appendText, func(j *upstream.Job) *string { return j.SourceLanguage }),
		"targetLanguage":     nullable(appendText, func(j *upstream.Job) *string { return j.TargetLanguage }),
		"creationDate":       nullable(appendDate, func(j *upstream.Job) *time.Time { return j.CreationDate }),
		"authorizationDate":  nullable(appendDate, func(j *upstream.Job) *time.Time { return j.AuthorizationDate }),
		"startDate":          nullable(appendDate, func(j *upstream.Job) *time.Time { return j.StartDate }),
		"dueDate":            nullable(appendDate, func(j *upstream.Job) *time.Time { return j.DueDate }),
		"completedDate":      nullable(appendDate, func(j *upstream.Job) *time.Time { return j.CompletedDate }),
		"returnDate":         nullable(appendDate, func(j *upstream.Job) *time.Time { return j.ReturnDate }),
		"returnTargets":      list(returnTarget, func(j *upstream.Job) []upstream.ReturnTarget { return j.ReturnTargets }),
		"options":            list(jobOption, func(j *upstream.Job) []upstream.JobOption { return j.Options }),
	},
}

var returnTarget = object[upstream.ReturnTarget]{
	name:       "ReturnTarget",
	conditions: []string{"ReturnTarget"},
	fields: map[string]field[upstream.ReturnTarget]{
		"kind":        text(func(t *upstream.ReturnTarget) string { return t.Kind }),
		"callbackUrl": nullable(appendText, func(t *upstream.ReturnTarget) *string { return t.CallbackURL }),
		"settings":    leaf(func(to []byte, t *upstream.ReturnTarget) []byte { return append(to, t.Settings...) }),
	},
}

var jobOption = object[upstream.JobOption]{
	name:       "JobOption",
	conditions: []string{"JobOption"},
	fields: map[string]field[upstream.JobOption]{
		"name":  text(func(o *upstream.JobOption) string { return o.Name }),
		"value": leaf(func(to []byte, o *upstream.JobOption) []byte { return append(to, o.Value...) }),
	},
}

var apiError = object[upstream.Error]{
	name:       "ApiError",
	conditions: []string{"ApiError", "JobResult"},
	fields: map[string]field[upstream.Error]{
		"type":         text(func(e *upstream.Error) upstream.ErrorType { return e.Type }),
		"comment":      text(func(e *upstream.Error) string { return e.Comment }),
		"jobId":        text(func(e *upstream.Error) string { return e.JobID }),
		"upstreamType": nullable(appendText, func(e *upstream.Error) *string { return e.UpstreamType }),
		"retryable": leaf(func(to []byte, e *upstream.Error) []byte {
			return strconv.AppendBool(to, e.Retryable())
		}),
		"retryAfterSeconds": nullable(appendInt, (*upstream.Error).RetryAfterSeconds),
	},
}

func appendInt(to []byte, i int) []byte { return strconv.AppendInt(to, int64(i), 10) }
