package sandbox

import (
	"encoding/json"
	"time"
)

// info is a Job Info, https://cielo24.readthedocs.io/en/latest/output_formats/formats.html: what a moving job answers,
// and what lists filter by. A nil field is written as null, as upstream does before a job has come so far.
type info struct {
	JobID              string `json:"JobId"`
	JobName            *string
	MediaLengthSeconds *float64
	ExternalID         *string
	Priority           *string
	Fidelity           *string
	JobStatus          string
	SourceLanguage     *string
	TargetLanguage     *string
	CreationDate       date
	StartDate          date
	DueDate            date
	CompletedDate      date
	ReturnDate         date
	AuthorizationDate  date
	JobDifficulty      *string
	ReturnTargets      *json.RawMessage
	Options            json.RawMessage
}

const (
	movingTargets = `{"url": [{"callback_url": "https://example.com/captions/returned"}]}`
	movingOptions = `{"speaker_id": {"label": "Speaker identification", "setting": "true"}}`
)

// order is what does not change while a job lives.
type order struct {
	id, name, externalID, priority, fidelity string
}

// info leaves StartDate and DueDate without a fraction: upstream's dates come with and without.
func (l life) info(o order) info {
	language := "en"
	return info{
		JobID:              o.id,
		JobName:            &o.name,
		MediaLengthSeconds: since(l, l.measured, 94.25),
		ExternalID:         &o.externalID,
		Priority:           &o.priority,
		Fidelity:           &o.fidelity,
		JobStatus:          l.status(),
		SourceLanguage:     &language,
		TargetLanguage:     &language,
		CreationDate:       l.date(0),
		StartDate:          l.date(l.started).truncate(time.Second),
		DueDate:            l.due().truncate(time.Second),
		CompletedDate:      l.date(l.completed),
		ReturnDate:         l.date(l.returned),
		AuthorizationDate:  l.date(l.authorized),
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
