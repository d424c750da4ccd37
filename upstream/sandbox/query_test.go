package sandbox_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"jobgraph/upstream/sandbox"
)

const (
	token   = "&api_token=" + sandbox.Token
	jobID   = "&job_id=" + sandbox.DocumentedJobID
	noJobID = "00000000000000000000000000000000"
)

func TestQuery_Errors(t *testing.T) {
	server := serve(t, nil)
	tests := []struct {
		name, query string
		errorType   string
		comment     string // a part of ErrorComment
	}{
		{"no query", "", "MISSING_PARAMETER", "parameter v "},
		{"no v", token + jobID, "MISSING_PARAMETER", "parameter v "},
		{"empty v", "v=" + token + jobID, "MISSING_PARAMETER", "parameter v "},
		{"no api_token", "v=1" + jobID, "MISSING_PARAMETER", "parameter api_token "},
		{"empty api_token", "v=1&api_token=" + jobID, "MISSING_PARAMETER", "parameter api_token "},
		{"no job_id", "v=1" + token, "MISSING_PARAMETER", "parameter job_id "},
		{"empty job_id", "v=1&job_id=" + token, "MISSING_PARAMETER", "parameter job_id "},
		{"names in another case", "V=1&API_TOKEN=1&JOB_ID=1", "MISSING_PARAMETER", "parameter v "},

		{"v is 2", "v=2" + token + jobID, "INVALID_QUERY", "v must be 1"},
		{"v is 01", "v=01" + token + jobID, "INVALID_QUERY", "v must be 1"},
		{"job_id is no hex", "v=1&job_id=secret-id" + token, "INVALID_QUERY", "job_id must be a hex string"},
		{"job_id with dashes", "v=1&job_id=d4fb871e-0751-4304-b231-31b45f8caa1f" + token, "INVALID_QUERY", "job_id must be"},
		{"job_id is markup", "v=1&job_id=%3Cb%3Esecret" + token, "INVALID_QUERY", "job_id must be"},
		{"job_id is no text", "v=1&job_id=%ff%00" + token, "INVALID_QUERY", "job_id must be"},
		{"job_id with spaces", "v=1&job_id=+d4fb+" + token, "INVALID_QUERY", "job_id must be"},
		{"malformed escape", "v=1&job_id=secret%zz" + token, "INVALID_QUERY", "malformed"},
		{"semicolons", "v=1;secret=1" + token + jobID, "INVALID_QUERY", "malformed"},

		{"v twice", "v=1&v=1" + token + jobID, "INVALID_QUERY", "parameter v is given more than once"},
		{"api_token twice", "v=1" + token + token + jobID, "INVALID_QUERY", "parameter api_token is given more than once"},
		{"job_id twice", "v=1" + token + jobID + jobID, "INVALID_QUERY", "parameter job_id is given more than once"},
		{"job_id twice, first empty", "v=1&job_id=" + token + jobID, "INVALID_QUERY", "job_id is given more than once"},

		{"wrong api_token", "v=1&api_token=5ec2e7" + jobID, "BAD_API_TOKEN", "api_token is not valid"},
		{"api_token is no hex", "v=1&api_token=secret" + jobID, "BAD_API_TOKEN", "api_token is not valid"},
		{"api_token is longer", "v=1" + token + "5ec2e7" + jobID, "BAD_API_TOKEN", "api_token is not valid"},

		{"unknown job", "v=1&job_id=" + noJobID + token, "ITEM_NOT_FOUND", noJobID},
		{"short job_id", "v=1&job_id=d4" + token, "ITEM_NOT_FOUND", "id d4."},
		{"upper-case job_id", "v=1&job_id=D4FB871E07514304B23131B45F8CAA1F" + token, "ITEM_NOT_FOUND", "D4FB871E"},
		{"65 digits", "v=1&job_id=" + strings.Repeat("e", 65) + token, "ITEM_NOT_FOUND", "id asked for"},

		{"parameters before the token", "v=1&api_token=secret", "MISSING_PARAMETER", "parameter job_id "},
		{"all parameters before any value", "v=2&api_token=secret", "MISSING_PARAMETER", "parameter job_id "},
		{"job_id's form before the token", "v=1&api_token=secret&job_id=secret", "INVALID_QUERY", "job_id must be"},
		{"token before the job", "v=1&api_token=secret&job_id=" + noJobID, "BAD_API_TOKEN", "api_token is not valid"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := send(t, http.MethodGet, server.URL+"/api/job/info?"+test.query)
			assert.Equal(t, http.StatusBadRequest, got.status)
			assert.Equal(t, "application/json", got.header.Get("Content-Type"))
			fields := decode(t, got.body)
			assert.Len(t, fields, 2, "ErrorType and ErrorComment, nothing else")
			assert.Equal(t, test.errorType, fields["ErrorType"])
			assert.Contains(t, fields["ErrorComment"], test.comment)
			for _, private := range []string{sandbox.Token, "secret", "5ec2e7", strings.Repeat("e", 65)} {
				assert.NotContains(t, got.body, private, "text of the request")
			}
		})
	}
}

func TestQuery_OtherParametersAreIgnored(t *testing.T) {
	got := send(t, http.MethodGet, serve(t, nil).URL+"/api/job/info?callback=x&callback=y"+jobID+token+"&v=1")
	assert.Equal(t, http.StatusOK, got.status)
}
