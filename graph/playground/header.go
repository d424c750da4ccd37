package playground

import (
	"net/http"
	"strconv"
	"strings"
)

// contentSecurityPolicy lets the page load what this server has and nothing else, so that even
// a mistake in a dependency cannot send a token elsewhere. Monaco, the editor, writes style
// elements and has its icons as data.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; worker-src 'self'; " +
	"style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func setSecurity(h http.Header) {
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}

// acceptsGzip reads Accept-Encoding as RFC 9110, section 12.5.3, has it: a coding that is named
// counts over *, and a weight of 0 refuses it.
func acceptsGzip(headers []string) bool {
	accepted := false
	for coding := range strings.SplitSeq(strings.ToLower(strings.Join(headers, ",")), ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(coding, " ", ""), ";")
		switch name {
		case "gzip", "x-gzip":
			return !isZero(weight)
		case "*":
			accepted = !isZero(weight)
		}
	}
	return accepted
}

func isZero(weight string) bool {
	value, found := strings.CutPrefix(weight, "q=")
	q, err := strconv.ParseFloat(value, 64)
	return found && err == nil && q == 0
}
