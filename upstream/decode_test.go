package upstream

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documented is the example response exactly as published.
func documented(t testing.TB) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("sandbox", "documented_job.json"))
	require.NoError(t, err)
	return body
}

// bodyWith is a whole job with one more member.
func bodyWith(member string) []byte {
	return []byte(`{"JobId": "aa", "JobStatus": "Pending", ` + member + `}`)
}

func decode(t *testing.T, body []byte) *Job {
	t.Helper()
	job, err := decodeJob(body, func(field, value string) { t.Errorf("unrecognized %s %q", field, value) })
	require.NoError(t, err)
	return job.Job()
}

func TestDecode_TheDocumentedJob(t *testing.T) {
	body := documented(t)
	require.Contains(t, string(body), `"Options": {},`, "the published example has a trailing comma")
	job := decode(t, body)

	date := func(text string) *time.Time {
		parsed, err := time.Parse(time.RFC3339Nano, text)
		require.NoError(t, err)
		return &parsed
	}
	assert.Equal(t, &Job{
		ID:                 "d4fb871e07514304b23131b45f8caa1f",
		Name:               new("example_job"),
		MediaLengthSeconds: new(607.81),
		ExternalID:         new("sample_id"),
		Priority:           new(Priority("STANDARD")),
		Fidelity:           new(Fidelity("MECHANICAL")),
		Status:             StatusComplete,
		SourceLanguage:     new("en"),
		TargetLanguage:     new("en"),
		CreationDate:       date("2014-08-27T14:00:06.472706Z"),
		StartDate:          date("2014-08-27T14:00:06.472706Z"),
		DueDate:            date("2014-08-29T14:00:06.472706Z"),
		CompletedDate:      date("2014-08-27T14:10:41.923125Z"),
		ReturnDate:         date("2014-08-27T14:10:42.885185Z"),
		ReturnTargets:      job.ReturnTargets,
	}, job)
	require.Len(t, job.ReturnTargets, 2)
	for i, url := range []string{"https://sample-url.com/return/", "https://sample-url-2.com/return/"} {
		assert.Equal(t, "url", job.ReturnTargets[i].Kind)
		assert.Equal(t, url, *job.ReturnTargets[i].CallbackURL)
		assert.JSONEq(t, `{"callback_url": "`+url+`"}`, string(job.ReturnTargets[i].Settings))
	}
}

func TestDecode_Dates(t *testing.T) {
	for text, want := range map[string]string{
		"2015-03-29T00:00:00":         "2015-03-29T00:00:00Z",
		"2015-03-29T00:00:00.1":       "2015-03-29T00:00:00.1Z",
		"2015-03-29T00:00:00.12":      "2015-03-29T00:00:00.12Z",
		"2015-03-29T00:00:00.123":     "2015-03-29T00:00:00.123Z",
		"2015-03-29T00:00:00.1234":    "2015-03-29T00:00:00.1234Z",
		"2015-03-29T00:00:00.12345":   "2015-03-29T00:00:00.12345Z",
		"2015-03-29T00:00:00.123456":  "2015-03-29T00:00:00.123456Z",
		"2015-03-29T00:00:00Z":        "2015-03-29T00:00:00Z",
		"2015-03-29T02:30:00+02:30":   "2015-03-29T00:00:00Z",
		"2015-03-29T00:00:00.5-01:00": "2015-03-29T01:00:00.5Z",
	} {
		job := decode(t, bodyWith(`"DueDate": "`+text+`"`))
		assert.Equal(t, want, job.DueDate.Format(time.RFC3339Nano), text)
	}
	for _, text := range []string{"", "yesterday", "2015-02-31T00:00:00", "2015-03-29", "1427587200"} {
		_, err := decodeJob(bodyWith(`"DueDate": "`+text+`"`), nil)
		assert.Error(t, err, text)
	}
}

func TestDecode_Enums(t *testing.T) {
	text := func(job *Job) []string {
		return []string{string(job.Status), string(*job.Priority), string(*job.Fidelity), string(*job.Difficulty)}
	}
	for _, c := range []struct{ status, priority, fidelity, difficulty, want string }{
		{"Authorizing", "ECONOMY", "MECHANICAL", "Good", "AUTHORIZING ECONOMY MECHANICAL GOOD"},
		{"Pending", "STANDARD", "STANDARD", "Bad", "PENDING STANDARD PREMIUM BAD"},
		{"In Process", "PRIORITY", "PREMIUM", "Unknown", "IN_PROCESS PRIORITY PREMIUM UNKNOWN"},
		{"Reviewing", "CRITICAL", "HIGH", "Good", "REVIEWING CRITICAL PROFESSIONAL GOOD"},
		{"Media Failure", "STANDARD", "PROFESSIONAL", "Good", "MEDIA_FAILURE STANDARD PROFESSIONAL GOOD"},
		{"Complete", "STANDARD", "HIGH", "Good", "COMPLETE STANDARD PROFESSIONAL GOOD"},
	} {
		job := decode(t, []byte(`{"JobId": "aa", "JobStatus": "`+c.status+`", "Priority": "`+c.priority+
			`", "Fidelity": "`+c.fidelity+`", "JobDifficulty": "`+c.difficulty+`"}`))
		assert.Equal(t, strings.Fields(c.want), text(job))
	}
}

func TestDecode_ReportsUnknownEnumValues(t *testing.T) {
	var reported []string
	job, err := decodeJob([]byte(`{"JobId": "aa", "JobStatus": "Paused", "Priority": "standard", "Fidelity": "", "JobDifficulty": "Odd"}`),
		func(field, value string) { reported = append(reported, field+"="+value) })
	require.NoError(t, err)
	assert.Equal(t, []string{"JobStatus=Paused", "Priority=standard", "Fidelity=", "JobDifficulty=Odd"}, reported)
	assert.EqualValues(t, Unrecognized, job.Status())
	assert.EqualValues(t, Unrecognized, *job.Priority())
	assert.EqualValues(t, Unrecognized, *job.Fidelity())
	assert.EqualValues(t, Unrecognized, *job.Difficulty())
}

func TestDecode_NothingAndNull(t *testing.T) {
	bare := &Job{ID: "aa", Status: StatusPending}
	assert.Equal(t, bare, decode(t, []byte(`{"JobId": "aa", "JobStatus": "Pending"}`)))
	for _, field := range []string{
		"JobName", "MediaLengthSeconds", "ExternalID", "ExternalId", "Priority", "Fidelity", "JobDifficulty",
		"SourceLanguage", "TargetLanguage", "CreationDate", "AuthorizationDate", "StartDate", "DueDate",
		"CompletedDate", "ReturnDate", "ReturnTargets", "Options", "FromALaterVersion",
	} {
		assert.Equal(t, bare, decode(t, bodyWith(`"`+field+`": null`)), field)
	}
}

func TestDecode_ExternalIDInBothSpellings(t *testing.T) {
	for _, member := range []string{`"ExternalID": "x"`, `"ExternalId": "x"`, `"ExternalId": "x", "ExternalID": null`, `"ExternalID": "x", "ExternalId": "y"`} {
		assert.Equal(t, "x", *decode(t, bodyWith(member)).ExternalID, member)
	}
}

func TestDecode_ReturnTargets(t *testing.T) {
	job := decode(t, bodyWith(`"ReturnTargets": {
		"url": [{"callback_url": "https://a.example/"}, {"callback_url": 7}, null],
		"ftp": {"host": "ftp.example", "deep": [1, {"x": null}]},
		"folder": "//files/out",
		"inner": {"x": "callback_url", "y": {"callback_url": "b"}, "z": [{"callback_url": "c"}]},
		"list": [["callback_url", "d"]],
		"escaped": {"a": {}, "callback\u005furl" : "https:\/\/e.example"},
		"nothing": null,
		"none": []
	}`))
	type target struct{ kind, url, settings string }
	var got []target
	for _, r := range job.ReturnTargets {
		url := ""
		if r.CallbackURL != nil {
			url = *r.CallbackURL
		}
		got = append(got, target{r.Kind, url, string(r.Settings)})
	}
	assert.Equal(t, []target{
		{"url", "https://a.example/", `{"callback_url": "https://a.example/"}`},
		{"url", "", `{"callback_url": 7}`},
		{"url", "", `{}`},
		{"ftp", "", `{"host": "ftp.example", "deep": [1, {"x": null}]}`},
		{"folder", "", `"//files/out"`},
		{"inner", "", `{"x": "callback_url", "y": {"callback_url": "b"}, "z": [{"callback_url": "c"}]}`},
		{"list", "", `["callback_url", "d"]`},
		{"escaped", "https://e.example", `{"a": {}, "callback\u005furl" : "https:\/\/e.example"}`},
		{"nothing", "", `{}`},
	}, got)
}

func TestDecode_OptionsInOrder(t *testing.T) {
	job := decode(t, bodyWith(`"Options": {"z": {"label": "Z", "setting": "1"}, "a": true, "n": 1.50, "l": [1], "s": "x", "0": null}`))
	var got []string
	for _, o := range job.Options {
		got = append(got, o.Name+"="+string(o.Value))
	}
	assert.Equal(t, []string{`z={"label": "Z", "setting": "1"}`, "a=true", "n=1.50", "l=[1]", `s="x"`, "0={}"}, got)
}

func TestDecode_RefusesWhatIsNotAWholeJob(t *testing.T) {
	whole := string(bodyWith(`"JobName": "x"`))
	for name, body := range map[string]string{
		"nothing": "", "space": " \n", "null": "null", "list": "[]", "empty object": "{}", "text": `"x"`,
		"HTML": "<html></html>", "no id": `{"JobStatus": "Pending"}`, "null id": `{"JobId": null, "JobStatus": "Pending"}`,
		"no status": `{"JobId": "aa"}`, "null status": `{"JobId": "aa", "JobStatus": null}`,
		"wrong case": `{"jobid": "aa", "jobstatus": "Pending"}`,
		"cut":        whole[:len(whole)-1], "two documents": whole + whole, "tail": whole + "x",
		"number for text":           string(bodyWith(`"JobName": 7`)),
		"text for number":           string(bodyWith(`"MediaLengthSeconds": "607.81"`)),
		"number too large":          string(bodyWith(`"MediaLengthSeconds": 1e400`)),
		"number for date":           string(bodyWith(`"DueDate": 7`)),
		"number for enum":           string(bodyWith(`"Priority": 7`)),
		"list for targets":          string(bodyWith(`"ReturnTargets": []`)),
		"text for options":          string(bodyWith(`"Options": "x"`)),
		"duplicate member":          string(bodyWith(`"JobId": "bb"`)),
		"duplicate option":          string(bodyWith(`"Options": {"a": 1, "a": 2}`)),
		"invalid UTF-8":             string(bodyWith("\"JobName\": \"\xff\"")),
		"raw NUL":                   string(bodyWith("\"JobName\": \"\x00\"")),
		"long name of many targets": string(bodyWith(`"ReturnTargets": {"` + strings.Repeat("x", 10<<10) + `": [` + strings.Repeat("{},", 1000) + `{}]}`)),
		"comma alone":               string(bodyWith(`"Options": {,}`)),
		"two commas":                string(bodyWith(`"Options": {"a": 1,,}`)),
		"comment":                   string(bodyWith(`/* x */ "JobName": "x"`)),
		"comma at the top":          whole + ",",
	} {
		job, err := decodeJob([]byte(body), func(string, string) {})
		assert.Error(t, err, name)
		assert.Nil(t, job, name)
	}
}

func TestDecode_WithoutTrailingCommasLeavesStringsAlone(t *testing.T) {
	text := `{"a": ",]", "b": "\",}", "c": [1, 2 , ], "d": {"e": 1,
	} ,}`
	got, changed := withoutTrailingCommas([]byte(text))
	assert.True(t, changed)
	assert.Equal(t, `{"a": ",]", "b": "\",}", "c": [1, 2   ], "d": {"e": 1 
	}  }`, string(got))
}
