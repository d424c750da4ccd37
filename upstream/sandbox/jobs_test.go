package sandbox_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream/sandbox"
)

const (
	authorizingID  = "10000000000000000000000000000001"
	pendingID      = "10000000000000000000000000000002"
	inProcessID    = "10000000000000000000000000000003"
	reviewingID    = "10000000000000000000000000000004"
	mediaFailureID = "10000000000000000000000000000005"
	completeID     = "10000000000000000000000000000006"
	nullsID        = "20000000000000000000000000000001"
	unknownID      = "20000000000000000000000000000002"
)

// fieldNames are all fields of a Job Info, newer ones included.
var fieldNames = []string{
	"JobId", "JobName", "MediaLengthSeconds", "ExternalID", "Priority", "Fidelity", "JobStatus", "SourceLanguage",
	"TargetLanguage", "CreationDate", "StartDate", "DueDate", "CompletedDate", "ReturnDate", "AuthorizationDate",
	"JobDifficulty", "ReturnTargets", "Options",
}

func keys(fields map[string]any) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	return names
}

func TestJobs_ListsWhatIsServed(t *testing.T) {
	server := serve(t, nil)
	var ids []string
	for _, job := range sandbox.Jobs() {
		ids = append(ids, job.ID)
		t.Run(job.ID, func(t *testing.T) {
			got := ask(t, server, job.ID)
			require.Equal(t, 200, got.status, got.body)
			assert.Equal(t, "application/json", got.header.Get("Content-Type"))
			assert.NotEmpty(t, job.About)
			assert.NotContains(t, job.About, "\n")
			if got.body != published { // the one body that is not strict JSON
				assert.Equal(t, job.ID, decode(t, got.body)["JobId"])
			}
		})
	}
	assert.Equal(t, []string{
		sandbox.DocumentedJobID, sandbox.ExampleRequestJobID,
		authorizingID, pendingID, inProcessID, reviewingID, mediaFailureID, completeID,
		nullsID, unknownID,
		thirtySecondsID, twoMinutesID, tenMinutesID, "60000000000000000000000000000000",
	}, ids)
}

func TestJobs_OneOfManyJobs(t *testing.T) {
	server := serve(t, nil)
	const id = "6000000000000000000000000000beef"
	many, one := decode(t, ask(t, server, id).body), decode(t, ask(t, server, completeID).body)
	assert.Equal(t, id, many["JobId"])
	many["JobId"] = completeID
	assert.Equal(t, one, many)
	assert.Equal(t, 400, ask(t, server, id[:31]).status)
}

func TestJobs_MayBeChangedByTheCaller(t *testing.T) {
	sandbox.Jobs()[0].ID = "changed"
	assert.Equal(t, sandbox.DocumentedJobID, sandbox.Jobs()[0].ID)
}

// TestJobs_EachStatus checks that a job has what a job that far has. A field is "null", or "absent", or anything else.
func TestJobs_EachStatus(t *testing.T) {
	server := serve(t, nil)
	tests := []struct {
		id, status, priority, fidelity              string
		authorized, started, due, completed, length string
	}{
		{authorizingID, "Authorizing", "ECONOMY", "MECHANICAL", "null", "null", "null", "null", "null"},
		{pendingID, "Pending", "PRIORITY", "PREMIUM", "absent", "null", "set", "null", "null"},
		{inProcessID, "In Process", "CRITICAL", "STANDARD", "set", "set", "set", "null", "set"},
		{reviewingID, "Reviewing", "PRIORITY", "HIGH", "set", "set", "set", "null", "set"},
		{mediaFailureID, "Media Failure", "STANDARD", "PROFESSIONAL", "set", "set", "set", "null", "null"},
		{completeID, "Complete", "STANDARD", "HIGH", "set", "set", "set", "set", "set"},
	}
	for _, test := range tests {
		t.Run(test.status, func(t *testing.T) {
			fields := decode(t, ask(t, server, test.id).body)
			assert.Equal(t, test.status, fields["JobStatus"])
			assert.Equal(t, test.priority, fields["Priority"])
			assert.Equal(t, test.fidelity, fields["Fidelity"])
			assert.Equal(t, "set", state(fields, "CreationDate"))
			assert.Equal(t, test.authorized, state(fields, "AuthorizationDate"))
			assert.Equal(t, test.started, state(fields, "StartDate"))
			assert.Equal(t, test.due, state(fields, "DueDate"))
			assert.Equal(t, test.completed, state(fields, "CompletedDate"))
			assert.Equal(t, test.completed, state(fields, "ReturnDate"))
			assert.Equal(t, test.length, state(fields, "MediaLengthSeconds"))
			datesInOrder(t, fields)
		})
	}
}

func state(fields map[string]any, name string) string {
	switch value, ok := fields[name]; {
	case !ok:
		return "absent"
	case value == nil:
		return "null"
	}
	return "set"
}

func TestJobs_OneJobSpellsExternalId(t *testing.T) {
	fields := decode(t, ask(t, serve(t, nil), pendingID).body)
	assert.Equal(t, "course-101/2", fields["ExternalId"])
	assert.NotContains(t, fields, "ExternalID")
}

func TestJobs_NewerOptionsAreLabelAndSetting(t *testing.T) {
	fields := decode(t, ask(t, serve(t, nil), inProcessID).body)
	assert.Equal(t, map[string]any{
		"speaker_id": map[string]any{"label": "Speaker identification", "setting": "true"},
		"return_iwp": map[string]any{"label": "Interim versions to return", "setting": []any{"MECHANICAL", "FINAL"}},
	}, fields["Options"])
}

func TestJobs_CompleteJobHasACallbackWithCredentials(t *testing.T) {
	fields := decode(t, ask(t, serve(t, nil), completeID).body)
	assert.Equal(t, map[string]any{
		"url": []any{map[string]any{"callback_url": "https://captions:s3cret@example.com/return"}},
	}, fields["ReturnTargets"])
}

func TestJobs_NullsJobHasNullForEveryOptionalField(t *testing.T) {
	fields := decode(t, ask(t, serve(t, nil), nullsID).body)
	assert.ElementsMatch(t, fieldNames, keys(fields))
	for name, value := range fields {
		if name != "JobId" && name != "JobStatus" {
			assert.Nil(t, value, name)
		}
	}
}

func TestJobs_UnknownJobHasValuesOfNoEnum(t *testing.T) {
	fields := decode(t, ask(t, serve(t, nil), unknownID).body)
	assert.Subset(t, keys(fields), fieldNames)
	documented := regexp.MustCompile("^(Authorizing|Pending|In Process|Complete|Media Failure|Reviewing|" +
		"STANDARD|PRIORITY|ECONOMY|CRITICAL|MECHANICAL|PREMIUM|PROFESSIONAL|HIGH|Good|Bad|Unknown)$")
	for _, name := range []string{"JobStatus", "Priority", "Fidelity", "JobDifficulty"} {
		assert.NotRegexp(t, documented, fields[name], name)
	}
	targets := fields["ReturnTargets"].(map[string]any)
	assert.ElementsMatch(t, []string{"ftp", "youtube", "folder", "url"}, keys(targets))
	assert.IsType(t, []any{}, targets["ftp"])
	assert.IsType(t, map[string]any{}, targets["youtube"])
	assert.IsType(t, "", targets["folder"])
}
