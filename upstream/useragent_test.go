package upstream

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Both ways to ask say the same, and no version can add a header or break the request.
func TestUserAgent_NamesTheVersion(t *testing.T) {
	for version, want := range map[string]string{
		"":       "jobgraph",
		"devel":  "jobgraph/devel",
		"v1.2.3": "jobgraph/v1.2.3",
		"v1.2.4-0.20260101000000-997c02b1f5d0+dirty": "jobgraph/v1.2.4-0.20260101000000-997c02b1f5d0+dirty",
		"1 (\r\nX-Evil: 1) é/2":                      "jobgraph/1----X-Evil--1----2",
		strings.Repeat("9", 100):                     "jobgraph/" + strings.Repeat("9", 64),
		strings.Repeat("9", 63) + "é":                "jobgraph/" + strings.Repeat("9", 63) + "-",
	} {
		for _, useProxy := range []bool{false, true} { // by http1, and by net/http
			upstream := record(t, answer(200, string(documented(t))))
			_, err := client(t, upstream.URL, Options{Version: version, UseProxy: useProxy}).Job(t.Context(), NewRequest(canary, anID))
			require.NoError(t, err, version)
			header := upstream.requests[0].Header
			assert.Equal(t, []string{want}, header["User-Agent"])
			assert.NotContains(t, header, http.CanonicalHeaderKey("X-Evil"))
		}
	}
}
