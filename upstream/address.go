package upstream

import (
	"net/url"
	"regexp"
	"strings"
)

var (
	address     = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*):(?:\\?/){2,}(.*)$`)
	bareAddress = regexp.MustCompile(`(^|[^:/\\A-Za-z0-9])((?:\\?/){2,}|www\.)([^/\\].*)$`) // //host/path, www.host/path
	host        = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?$`)
	credentials = regexp.MustCompile(`:.*@`)
	queryPart   = regexp.MustCompile(`\?.*=.*$`)
	percent     = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
)

// closing is what may stand behind an address in a sentence. A bracket may belong to it.
const closing = `"'<>(){},.;:!`

// withoutAddress leaves of an address in a word (a text without space) its scheme
// and host: a path, a query and a user may each hold a secret. What has a user and a
// password goes without a scheme, too.
func withoutAddress(word string) string {
	if at := address.FindStringSubmatchIndex(word); at != nil {
		rest := word[at[4]:]
		bare := strings.TrimRight(rest, closing)
		return withoutAddress(word[:at[0]]) + word[at[2]:at[3]] + "://" + hostOf(bare) + rest[len(bare):]
	}
	plain := percent.ReplaceAllStringFunc(word, func(encoded string) string {
		plain, _ := url.PathUnescape(encoded)
		return plain
	})
	if credentials.MatchString(plain) || address.MatchString(plain) {
		return redacted
	}
	if at := bareAddress.FindStringSubmatchIndex(word); at != nil {
		rest := word[at[6]:]
		bare := strings.TrimRight(rest, closing)
		return queryPart.ReplaceAllString(word[:at[4]], "") + word[at[4]:at[5]] + hostOf(bare) + rest[len(bare):]
	}
	return queryPart.ReplaceAllString(word, "")
}

// hostOf is the host that an address begins with, behind the scheme. Where an @
// follows later, nobody knows what it was meant to end.
func hostOf(rest string) string {
	end := strings.IndexAny(rest, `/?#\`)
	if end < 0 {
		end = len(rest)
	}
	authority := rest[strings.LastIndexByte(rest[:end], '@')+1 : end]
	if name := host.FindStringSubmatch(authority); name != nil && !strings.Contains(rest[end:], "@") {
		return name[1]
	}
	return redacted
}
