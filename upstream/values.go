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

// orEmpty is for members that a job must have: an empty one is refused later.
func orEmpty[T ~string](text *T, err error) (T, error) {
	if text == nil {
		return "", err
	}
	return *text, err
}

// readText reads a text; nil for null.
func readText[T ~string](dec *jsontext.Decoder) (*T, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '"':
		text := T(token.String())
		return &text, nil
	case 'n':
		return nil, nil
	}
	return nil, fmt.Errorf("a text was expected, not %v", token.Kind())
}

// readNumber reads a number that a float64 holds; nil for null.
func readNumber(dec *jsontext.Decoder) (*float64, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '0':
		number, err := strconv.ParseFloat(token.String(), 64)
		if err != nil {
			return nil, errTooLarge
		}
		return &number, nil
	case 'n':
		return nil, nil
	}
	return nil, fmt.Errorf("a number was expected, not %v", token.Kind())
}

var errTooLarge = errors.New("a number is too large")

// zones are what a date ends with for RFC 3339: upstream names none and means UTC.
var zones = [...]string{"Z", ""}

// readDate reads a date of ISO 8601 with or without a zone; nil for null.
func readDate(dec *jsontext.Decoder) (*time.Time, error) {
	value, err := dec.ReadValue()
	if err != nil || value.Kind() == 'n' {
		return nil, err
	}
	if value.Kind() == '"' {
		text, err := unquoted(value)
		if err != nil {
			return nil, err
		}
		for _, zone := range zones {
			if date, err := time.Parse(time.RFC3339, string(text)+zone); err == nil {
				date = date.UTC()
				return &date, nil
			}
		}
	}
	return nil, errors.New("not an ISO 8601 date")
}

// readValue reads any value as a copy; {} for null, because clients are promised
// a value. It stands inside so many others of its member.
func readValue(dec *jsontext.Decoder, inside int) (jsontext.Value, error) {
	value, err := dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if value.Kind() == 'n' {
		return jsontext.Value("{}"), nil
	}
	return value.Clone(), showable(value, inside)
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

// eachMember calls read for the value of each member of the object, and not at
// all for null. The name is void after the next read.
func eachMember(dec *jsontext.Decoder, read func(name []byte) error) error {
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
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		name, err := unquoted(value)
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
