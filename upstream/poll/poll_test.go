package poll

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"jobgraph/upstream"
)

func fullJob(changes ...func(*upstream.Job)) *upstream.EncodedJob {
	text, length, now := "text", 1.5, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	job := upstream.Job{
		ID: "01", Name: &text, MediaLengthSeconds: &length, ExternalID: &text, Status: upstream.StatusPending,
		SourceLanguage: &text, TargetLanguage: &text, CreationDate: &now, AuthorizationDate: &now, StartDate: &now, DueDate: &now,
		ReturnTargets: []upstream.ReturnTarget{{Kind: "url", CallbackURL: &text, Settings: []byte(`{"callback_url": "text"}`)}},
		Options:       []upstream.JobOption{{Name: "notes", Value: []byte(`"text"`)}},
	}
	for _, change := range changes {
		change(&job)
	}
	return job.Encode()
}

func TestPoll_Same(t *testing.T) {
	assert.True(t, same(fullJob(), fullJob()))
	for name, change := range map[string]func(*upstream.Job){
		"status":       func(j *upstream.Job) { j.Status = upstream.StatusReviewing },
		"date":         func(j *upstream.Job) { later := j.DueDate.Add(time.Microsecond); j.DueDate = &later },
		"new date":     func(j *upstream.Job) { j.CompletedDate = j.StartDate },
		"target":       func(j *upstream.Job) { j.ReturnTargets[0].Settings = []byte(`{}`) },
		"option":       func(j *upstream.Job) { j.Options[0].Value = []byte(`"other"`) },
		"lost targets": func(j *upstream.Job) { j.ReturnTargets = nil },
	} {
		assert.False(t, same(fullJob(), fullJob(change)), name)
	}
	one, other := &upstream.Error{Type: upstream.Timeout, Status: 408}, &upstream.Error{Type: upstream.Timeout, Status: 504}
	assert.True(t, same(one, other), "clients do not see the HTTP status")
	assert.False(t, same(one, &upstream.Error{Type: upstream.Unavailable}))
	assert.False(t, same(one, fullJob()))
	assert.False(t, same(nil, fullJob()))
}

func BenchmarkSame(b *testing.B) {
	one, other := fullJob(), fullJob()
	b.ReportAllocs()
	for b.Loop() {
		same(one, other)
	}
}
