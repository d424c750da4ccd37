package sandbox

import (
	"encoding/json"
	"time"
)

// info is the Job Info of a moving job, https://cielo24.readthedocs.io/en/latest/output_formats/formats.html. A nil
// field is written as null, as upstream does before a job has come so far.
type info struct {
	JobID              string `json:"JobId"`
	JobName            string
	MediaLengthSeconds *float64
	ExternalID         string
	Priority           string
	Fidelity           string
	JobStatus          string
	SourceLanguage     string
	TargetLanguage     string
	CreationDate       string
	StartDate          *string
	DueDate            *string
	CompletedDate      *string
	ReturnDate         *string
	AuthorizationDate  *string
	JobDifficulty      *string
	ReturnTargets      *json.RawMessage
	Options            json.RawMessage
}

const (
	movingTargets = `{"url": [{"callback_url": "https://example.com/captions/returned"}]}`
	movingOptions = `{"speaker_id": {"label": "Speaker identification", "setting": "true"}}`
)

// info leaves StartDate and DueDate without a fraction: upstream's dates come with and without.
func (l life) info(id, name string) info {
	return info{
		JobID:              id,
		JobName:            name,
		MediaLengthSeconds: since(l, l.measured, 94.25),
		ExternalID:         "sample_moving_id",
		Priority:           "PRIORITY",
		Fidelity:           "STANDARD", // Job Info's word for PREMIUM
		JobStatus:          l.status(),
		SourceLanguage:     "en",
		TargetLanguage:     "en",
		CreationDate:       date(l.at(0)),
		StartDate:          since(l, l.started, date(l.at(l.started).Truncate(time.Second))),
		DueDate:            since(l, l.authorized, date(l.at(due).Truncate(time.Second))),
		CompletedDate:      since(l, l.completed, date(l.at(l.completed))),
		ReturnDate:         since(l, l.returned, date(l.at(l.returned))),
		AuthorizationDate:  since(l, l.authorized, date(l.at(l.authorized))),
		JobDifficulty:      since(l, l.started, l.difficulty()),
		ReturnTargets:      since(l, l.completed, json.RawMessage(movingTargets)),
		Options:            json.RawMessage(movingOptions),
	}
}

// since is nil until the life has reached the age.
func since[T any](l life, age int, value T) *T {
	if l.age < age {
		return nil
	}
	return &value
}
