package selected

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// A scalar writes values of one type: at most size bytes of each.
type scalar[V any] struct {
	size   func(V) int
	append func([]byte, V) []byte
}

// The longest of each: a float is such as -1.7976931348623157e+308.
var (
	dates  = scalar[time.Time]{func(time.Time) int { return len(`"-10000-12-31T23:59:59.999999999Z"`) }, appendDate}
	floats = scalar[float64]{func(float64) int { return 24 }, appendFloat}
	ints   = scalar[int]{func(int) int { return len("-9223372036854775808") }, appendInt}
)

// texts are texts and enum values.
func texts[S ~string]() scalar[S] { return scalar[S]{textSize[S], appendText[S]} }

func appendInt(to []byte, i int) []byte { return strconv.AppendInt(to, int64(i), 10) }

// appendDate writes RFC 3339 in UTC with the digits of the second that the time has.
func appendDate(to []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(to, '"'), time.RFC3339Nano), '"')
}

func appendFloat(to []byte, f float64) []byte { return strconv.AppendFloat(to, f, 'g', -1, 64) }

// plain are the bytes that stand in a JSON string as they are.
var plain = func() (plain [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		plain[c] = c != '"' && c != '\\'
	}
	return plain
}()

func isPlain[S ~string](text S) bool {
	for i := range len(text) {
		if !plain[text[i]] {
			return false
		}
	}
	return true
}

// appendText writes a JSON string. Nearly every text is one that is copied.
func appendText[S ~string](to []byte, text S) []byte {
	if !isPlain(text) {
		to, _ = jsontext.AppendQuote(to, text) // what is no UTF-8 becomes U+FFFD
		return to
	}
	return append(append(append(to, '"'), text...), '"')
}

// textSize is how many bytes appendText appends.
func textSize[S ~string](text S) int {
	if isPlain(text) {
		return len(text) + len(`""`)
	}
	size := len(`""`)
	for _, r := range string(text) { // a byte that is no UTF-8 is U+FFFD here as well
		switch {
		case r == '"', r == '\\', r == '\b', r == '\f', r == '\n', r == '\r', r == '\t':
			size += len(`\n`)
		case r < ' ':
			size += len(`\u0000`)
		default:
			size += utf8.RuneLen(r)
		}
	}
	return size
}
