package upstream

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

const (
	// maxText bounds what is kept of a text that upstream wrote, in bytes.
	maxText = 512
	// secretPart is how many characters of a token in a row give it away.
	secretPart = 8
)

// scrub makes a text that upstream had a hand in fit to show: one line, bounded,
// valid UTF-8, and without any part of the token that has 8 characters or more.
// The job's id is the caller's to see and stays.
func scrub(text, token, id string) string {
	if len(text) > 4*maxText {
		text = text[:4*maxText]
	}
	text = withoutEncoded(strings.ToValidUTF8(text, "\uFFFD"), token)
	text = withoutSecret(text, token, id)
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

// encodedWord is a text long enough to hold a part of a token in another form.
var encodedWord = regexp.MustCompile(`[A-Za-z0-9+/_%-]{11,}`)

// withoutEncoded replaces each word that gives a part of the token away once it is
// decoded.
func withoutEncoded(text, token string) string {
	return encodedWord.ReplaceAllStringFunc(text, func(word string) string {
		for _, plain := range decodings(word) {
			if sharesPart(strings.ToLower(plain), strings.ToLower(token)) {
				return "[redacted]"
			}
		}
		return word
	})
}

// decodings reads the word as percent-encoding, as base64 in both alphabets and as
// hexadecimal digits of characters, wherever in the word such a text begins.
func decodings(word string) []string {
	plain, _ := url.PathUnescape(word)
	list := []string{plain}
	digits := strings.NewReplacer("-", "+", "_", "/", "%", "").Replace(word)
	for start := range min(4, len(digits)) {
		part := digits[start:]
		base, _ := base64.RawStdEncoding.DecodeString(part[:len(part)-len(part)%4])
		list = append(list, string(base))
		characters, _ := hex.DecodeString(part[:len(part)-len(part)%2])
		list = append(list, string(characters))
	}
	return list
}

// withoutSecret replaces each run of hexadecimal digits that holds a part of the token.
func withoutSecret(text, token, id string) string {
	token = strings.ToLower(token)
	var clean strings.Builder
	for len(text) > 0 {
		run := 0
		for run < len(text) && isHexDigit(text[run]) {
			run++
		}
		if run == 0 {
			clean.WriteByte(text[0])
			text = text[1:]
			continue
		}
		if word := text[:run]; word != id && sharesPart(strings.ToLower(word), token) {
			clean.WriteString("[redacted]")
		} else {
			clean.WriteString(word)
		}
		text = text[run:]
	}
	return clean.String()
}

// sharesPart says whether word holds secretPart characters in a row of the token,
// or is the whole of a token that is shorter.
func sharesPart(word, token string) bool {
	if len(token) < secretPart {
		return word == token
	}
	for i := 0; i+secretPart <= len(word); i++ {
		if strings.Contains(token, word[i:i+secretPart]) {
			return true
		}
	}
	return false
}
