package upstream

import (
	"encoding/base64"
	"regexp"
	"strings"
	"unicode"
)

const (
	// maxText bounds what is shown of a text that upstream wrote, in bytes.
	maxText = 512
	// maxWork bounds what of it is looked at.
	maxWork = 16 << 10
	// secretDigits is how many hexadecimal digits in a row may be a part of a token.
	secretDigits = 8
	// splitDigits is the same for digits that something else stands between.
	splitDigits = 16
	// maxGap is how far apart such digits are at most, in bytes: `7c", "a5`.
	maxGap = 4

	redacted = "[redacted]"
)

// quote makes a text that upstream had a hand in fit to show. Of the token its
// length alone counts: a form cannot tell fewer than splitDigits from other words,
// so beside such a token nothing is quoted. Were the token itself compared with the
// text, of which the caller chooses a part (the id), the answers to enough ids would
// tell it, digit by digit.
func quote(text, token, id string) string {
	if len(token) < splitDigits {
		return redacted
	}
	return redact(text, id)
}

// redact makes the text one line, bounded, valid UTF-8, and without anything that
// has a token's or an address's form, whosever it is. The job's id is the caller's
// to see and stays, where it stands as a whole run of secretDigits or more.
func redact(text, id string) string {
	text = bounded(strings.ToValidUTF8(text, "\uFFFD"))
	// Digits go first: what they are decides nothing from there on.
	text = withoutSplitDigits(text, id)
	text = digits.ReplaceAllStringFunc(text, func(run string) string {
		if run == id {
			return run
		}
		return redacted
	})
	text = word.ReplaceAllStringFunc(text, withoutAddress)
	text = base64Word.ReplaceAllStringFunc(text, withoutBase64)
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return strings.TrimSpace(text)
}

var (
	word       = regexp.MustCompile(`\S+`)
	digits     = regexp.MustCompile(`[0-9A-Fa-f]{8,}`)
	alnum      = regexp.MustCompile(`[0-9A-Za-z]+`)
	digitGroup = regexp.MustCompile(`^(?:0?[xX]|[uU])?([0-9A-Fa-f]+)$`) // \x37, 0x37 and \u0037 too
	base64Word = regexp.MustCompile(`[A-Za-z0-9+/_-]{11,}`)             // room for secretDigits
)

// bounded cuts a text before the work on it. The word that is cut goes, and digits
// at the end count as the beginning of many, more than an id has.
func bounded(text string) string {
	if len(text) <= maxWork {
		return text
	}
	text = text[:maxWork]
	return text[:strings.LastIndexAny(text, " \t\n\f\r")+1] + strings.Repeat("0", maxHex+1)
}

// withoutSplitDigits redacts splitDigits or more in groups: 7ca5-dc5c-…, 7c a5 …,
// %37%63…, \x37\x63….
func withoutSplitDigits(text, id string) string {
	var clean strings.Builder
	written, start, end, count := 0, 0, 0, 0
	endRow := func() {
		if count >= splitDigits {
			clean.WriteString(text[written:start] + redacted)
			written = end
		}
		count = 0
	}
	for _, at := range alnum.FindAllStringIndex(text, -1) {
		group := digitGroup.FindStringSubmatch(text[at[0]:at[1]])
		isID := group != nil && len(id) >= secretDigits && group[0] == id
		if group == nil || isID || at[0]-end > maxGap {
			endRow()
		}
		if group == nil || isID {
			continue
		}
		if count == 0 {
			start = len(strings.TrimRight(text[:at[0]], `%\`))
		}
		count += len(group[1])
		end = at[1]
	}
	endRow()
	return clean.String() + text[written:]
}

// withoutBase64 redacts a word that holds digits or an address once it is decoded,
// in either alphabet, wherever in it the encoded text begins.
func withoutBase64(word string) string {
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(word)
	for start := range 4 {
		part := standard[start:]
		plain, _ := base64.RawStdEncoding.DecodeString(part[:len(part)-len(part)%4])
		if digits.Match(plain) || strings.Contains(string(plain), "://") {
			return redacted
		}
	}
	return word
}

// loggable is an enum value that upstream sent and that is not known; "" for one
// that has not the form of a name or that may be a secret.
func loggable(value, token, id string) string {
	if !enumName.MatchString(value) || quote(value, token, id) != value {
		return ""
	}
	return value
}

var enumName = regexp.MustCompile(`^[A-Za-z0-9 _-]{1,64}$`)
