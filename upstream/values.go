package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds how deep a return target or an option is nested.
const maxDepth = 100

// readText reads a text.
func readText(to []byte, dec *jsontext.Decoder) ([]byte, error) {
	text, err := readKind(dec, '"')
	if text == nil {
		return to, err
	}
	return append(to, requoted(text)...), nil
}

// readNumber reads a number that a float64 holds.
func readNumber(to []byte, dec *jsontext.Decoder) ([]byte, error) {
	text, err := readKind(dec, '0')
	if text == nil {
		return to, err
	}
	number, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return to, errTooLarge
	}
	return appendNumber(to, number), nil
}

// readKind reads a value of the kind; nil for null.
func readKind(dec *jsontext.Decoder, kind jsontext.Kind) (jsontext.Value, error) {
	value, err := dec.ReadValue()
	switch {
	case err != nil || value.Kind() == 'n':
		return nil, err
	case value.Kind() != kind:
		return nil, fmt.Errorf("a %v was expected, not %v", kind, value.Kind())
	}
	return value, nil
}

var errTooLarge = errors.New("a number is too large")

// zones are what a date ends with for RFC 3339: upstream names none and means UTC.
var zones = [...]string{"Z", ""}

// readDate reads a date of ISO 8601 with or without a zone.
func readDate(to []byte, dec *jsontext.Decoder) ([]byte, error) {
	value, err := readKind(dec, '"')
	if value == nil {
		return to, err
	}
	text, err := unquoted(value)
	if err != nil {
		return to, err
	}
	for _, zone := range zones {
		if date, err := time.Parse(time.RFC3339, string(text)+zone); err == nil {
			return AppendDate(to, date), nil
		}
	}
	return to, errors.New("not an ISO 8601 date")
}

// readValue reads any value, which is void after the next read; {} for null, because
// clients are promised a value. It stands inside so many others of its member.
func readValue(dec *jsontext.Decoder, inside int) (jsontext.Value, error) {
	value, err := dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if value.Kind() == 'n' {
		return jsontext.Value("{}"), nil
	}
	return value, showable(value, inside)
}

// showable refuses values that are JSON but that the readers of clients may not
// take: nested deeper than maxDepth, or with a number that no float64 holds. One
// such job would make the answer with all the others unreadable.
func showable(value jsontext.Value, depth int) error {
	for len(value) > 0 {
		length := 1
		switch c := value[0]; {
		case c == '"':
			length = textLength(value)
		case c == '-' || '0' <= c && c <= '9':
			length = len(value) - len(bytes.TrimLeft(value, "+-.0123456789eE"))
			if _, err := strconv.ParseFloat(string(value[:length]), 64); err != nil {
				return errTooLarge
			}
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("a value is nested deeper than %d levels", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
		value = value[length:]
	}
	return nil
}

// textLength is how long the quoted text is that the JSON begins with.
func textLength(value jsontext.Value) int {
	end := 1
	for value[end] != '"' {
		if value[end] == '\\' {
			end++
		}
		end++
	}
	return end + 1
}

// afterColon is the value that follows a name, which begins with it.
func afterColon(rest jsontext.Value) (value jsontext.Value, isName bool) {
	value, isName = bytes.CutPrefix(bytes.TrimLeft(rest, space), []byte(":"))
	return bytes.TrimLeft(value, space), isName
}

// space is what may stand between JSON's tokens.
const space = " \t\r\n"

// eachMember calls read for the value of each member of the object, and not at
// all for null. The name is quoted, and void after the next read.
func eachMember(dec *jsontext.Decoder, read func(name jsontext.Value) error) error {
	start, err := dec.ReadToken()
	if err != nil {
		return err
	}
	switch start.Kind() {
	case 'n':
		return nil
	case '{':
	default:
		return fmt.Errorf("an object was expected, not %v", start.Kind())
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if err := read(name); err != nil {
			return err
		}
	}
	_, err = dec.ReadToken()
	return err
}

// unquoted is the text that a JSON string stands for. It may share its memory.
func unquoted(value jsontext.Value) ([]byte, error) {
	if bytes.IndexByte(value, '\\') >= 0 {
		return jsontext.AppendUnquote(nil, value)
	}
	return value[1 : len(value)-1], nil
}

// requoted is the JSON string as an answer shows it: what can stand unescaped, does. It
// may share the value's memory: the decoder lets no text without escapes need one.
func requoted(value jsontext.Value) jsontext.Value {
	if bytes.IndexByte(value, '\\') < 0 {
		return value
	}
	text, _ := jsontext.AppendUnquote(nil, value)
	quoted, _ := jsontext.AppendQuote(nil, text)
	return quoted
}

// eachElement calls read for each element of the list that comes next.
func eachElement(dec *jsontext.Decoder, read func() error) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		if err := read(); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}
