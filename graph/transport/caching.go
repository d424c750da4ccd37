package transport

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Values of headers that are the same for many answers are shared by them: nobody writes to
// one, and who adds to one gets a list of its own.
var (
	contentTypes = map[string][]string{
		mediaTypeJSON:    {mediaTypeJSON + "; charset=utf-8"},
		mediaTypeGraphQL: {mediaTypeGraphQL + "; charset=utf-8"},
	}
	noStore = []string{"private, no-store"}
	vary    = []string{"Authorization, Accept"}
	maxAges = func() (values [301][]string) {
		for seconds := range values {
			values[seconds] = maxAge(seconds)
		}
		return values
	}()
)

// cacheControl lets the caller's own cache store an answer. It never is public: the token
// decides the answer, and there are caches that do not look at it. Whole seconds, rounded
// down: nothing is served longer than here.
func cacheControl(lifetime time.Duration) []string {
	seconds := int(lifetime / time.Second)
	if seconds < len(maxAges) {
		return maxAges[seconds]
	}
	return maxAge(seconds)
}

func maxAge(seconds int) []string { return []string{"private, max-age=" + strconv.Itoa(seconds)} }

// addVary adds what an answer depends on beside its address, to what others have said.
func addVary(header http.Header) {
	if len(header["Vary"]) == 0 {
		header["Vary"] = slices.Clip(vary)
		return
	}
	header["Vary"] = append(header["Vary"], vary...)
}

// matches is RFC 9110's weak comparison of a tag with the lines of If-None-Match.
func matches(lines []string, etag string) bool {
	for _, line := range lines {
		for tag := range strings.SplitSeq(line, ",") {
			tag = strings.TrimSpace(tag)
			if tag == "*" || strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(etag, "W/") {
				return true
			}
		}
	}
	return false
}
