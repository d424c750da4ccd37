package upstream

import "strings"

// maxVersion bounds what of a version the User-Agent shows, in bytes.
const maxVersion = 64

// userAgent is "jobgraph", or "jobgraph/VERSION". Whatever the version holds, a
// header can hold the result: what is no token character (RFC 9110, 5.6.2) becomes "-".
func userAgent(version string) string {
	if version == "" {
		return "jobgraph"
	}
	return "jobgraph/" + strings.Map(func(c rune) rune {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if letter || c >= '0' && c <= '9' || c < 0x80 && strings.ContainsRune("!#$%&'*+-.^_`|~", c) {
			return c
		}
		return '-'
	}, version[:min(len(version), maxVersion)])
}
