package graph_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDecoding_AnswersStayTheSameToTheByte sends bodies of the job API through the whole
// stack. The answers of testdata/decoding.json were written by the decoder and the
// writer that were simplest, a Go struct between them; no other way may differ.
func TestDecoding_AnswersStayTheSameToTheByte(t *testing.T) {
	text, err := os.ReadFile("testdata/decoding.json")
	require.NoError(t, err)
	var cases []struct{ Body, Answer string }
	require.NoError(t, json.Unmarshal(text, &cases))
	require.Greater(t, len(cases), 100)
	s := newStack(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i, _ := strconv.ParseInt(r.URL.Query().Get("job_id"), 16, 64)
		fmt.Fprint(w, cases[i].Body)
	}), withSandboxToken)
	for i, c := range cases {
		data := s.data(t, wholeJob, ids(strconv.FormatInt(int64(i), 16)))
		assert.Equal(t, c.Answer, strings.TrimSuffix(strings.TrimPrefix(data, `{"job":[`), "]}"), c.Body)
	}
}
