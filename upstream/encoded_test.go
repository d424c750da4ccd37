package upstream

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fullJob has a value in each field.
func fullJob() Job {
	date := time.Date(2014, 8, 27, 14, 0, 6, 472706000, time.UTC)
	return Job{
		ID: "aa", Name: new("a \"name\" \\ \x00\u2028é漢🎬</b>"), MediaLengthSeconds: new(607.81), ExternalID: new(""),
		Priority: new(Priority("STANDARD")), Fidelity: new(Fidelity("PREMIUM")), Status: StatusComplete,
		Difficulty: new(JobDifficulty("GOOD")), SourceLanguage: new("en"), TargetLanguage: new("de"),
		CreationDate: &date, AuthorizationDate: new(date.Add(1)), StartDate: new(date.Add(time.Second)),
		DueDate:       new(time.Date(10000, 2, 29, 1, 2, 3, 0, time.UTC)),
		CompletedDate: new(time.Date(-1, 12, 31, 23, 59, 59, 5e8, time.UTC)), ReturnDate: new(time.Unix(0, 0).UTC()),
		ReturnTargets: []ReturnTarget{
			{Kind: "url", CallbackURL: new("https://example.com/?a=b&c"), Settings: []byte(`{"callback_url": "https://example.com/?a=b&c"}`)},
			{Kind: "ftp", Settings: []byte("7")},
		},
		Options: []JobOption{{Name: "caption_format", Value: []byte(`{ "setting": "SRT" }`)}, {Name: "", Value: []byte("true")}},
	}
}

func TestEncodedJob_IsTheStruct(t *testing.T) {
	for _, job := range []Job{{}, {ID: "aa", Status: StatusPending}, fullJob()} {
		encoded := job.Encode()
		assert.Equal(t, &job, encoded.Job())
		assert.Equal(t, *encoded, *encoded.Job().Encode())
	}
}

// Programs of unlike versions find each other's records in Redis, under keys that have the Layout in
// them. Whoever changes a field, their order, or how a text is written gives it another value, and
// adds its sum here.
func TestEncode_ALayoutIsOneRecord(t *testing.T) {
	sums := map[string]string{
		"1": "a7961584715c83c73c56ea93321675c6986975b4476be8f679bcc34f9e4e6afe",
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(fullJob().Encode().Record)))
	assert.Equal(t, sums[Layout], sum, "what a Record means has changed: change Layout, too")
	assert.Equal(t, jobFields, reflect.TypeFor[Job]().NumField(), "each field of a Job is in the record")
}

func TestEncode_WritesWhatAnAnswerMayShow(t *testing.T) {
	job := Job{ID: "\xff", ReturnTargets: []ReturnTarget{{Kind: "url"}}, Options: []JobOption{{Name: "o"}}}.Encode()
	assert.Equal(t, `"`+"\ufffd"+`"`, job.Field(FieldID))
	assert.Equal(t, "{}", string(job.ReturnTargets()[0].Settings))
	assert.Equal(t, "{}", string(job.Options()[0].Value))
}

// The order of a body's members, their spaces and escapes are no part of a job.
func TestEncodedJob_EqualJobsAreEqual(t *testing.T) {
	one := decodeEncoded(t, []byte(`{"JobId": "aa", "JobStatus": "Pending", "JobName": "\u0041/é", "DueDate": "2015-03-29T02:30:00.10+02:30", "Options": {}}`))
	two := decodeEncoded(t, []byte(`{"DueDate":"2015-03-29T00:00:00.1","JobName":"A\/\u00e9","JobStatus":"P\u0065nding","ReturnTargets":{"url":[]},"JobId":"aa"}`))
	assert.Equal(t, *one, *two)
}

// The decoder's memory is used again: nothing of one job may show in another.
func TestDecode_JobsShareNothing(t *testing.T) {
	first := decodeEncoded(t, documented(t))
	want := Record(bytes.Clone([]byte(first.Record)))
	decodeEncoded(t, bytes.ReplaceAll(documented(t), []byte("example"), []byte("another")))
	bare := decodeEncoded(t, []byte(`{"JobId": "aa", "JobStatus": "Pending"}`))
	assert.Equal(t, want, first.Record)
	assert.Equal(t, &Job{ID: "aa", Status: StatusPending}, bare.Job())
}

// A job is a header and one string: the collector has one pointer of it to follow.
func TestDecode_AllocatesTheJobAlone(t *testing.T) {
	body := bytes.Replace(documented(t), []byte("{},\n}"), []byte("{}\n}"), 1)
	report := func(string, string) {}
	decoded := math.Inf(1)
	for range 100 { // a pool may be empty at times: the race detector has it forget
		decoded = min(decoded, testing.AllocsPerRun(1, func() {
			if _, err := decodeJob(body, report); err != nil {
				t.Fatal(err)
			}
		}))
	}
	assert.LessOrEqual(t, decoded, 3.0)
	job := decodeEncoded(t, body)
	to := make([]byte, 0, 1<<20)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		for n := range FieldReturnTargets {
			to = append(to[:0], job.Field(n)...)
		}
		for target := range job.Entries(FieldReturnTargets) {
			to = append(to, target.Field(TargetSettings)...)
		}
	}))
	assert.Contains(t, string(to), "sample-url-2")
}

func TestEncodedJob_SizeIsItsMemory(t *testing.T) {
	small, large := Job{ID: "aa"}.Encode(), Job{ID: string(bytes.Repeat([]byte("a"), 1002))}.Encode()
	assert.Equal(t, 1000, large.Size()-small.Size())
	assert.Greater(t, small.Size(), len(small.Record))
}

func decodeEncoded(t testing.TB, body []byte) *EncodedJob {
	t.Helper()
	job, err := decodeJob(body, func(string, string) {})
	require.NoError(t, err)
	return job
}

func BenchmarkDecodeJob(b *testing.B) {
	body := bytes.Replace(documented(b), []byte("{},\n}"), []byte("{}\n}"), 1)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeJob(body, nil); err != nil {
			b.Fatal(err)
		}
	}
}
