package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds how deep a return target or an option is nested.
const maxDepth = 100

// jobObject is a Job that is read member by member, with the decoder's tokens. By
// json's reflection over Job's fields it took twice as long.
type jobObject struct {
	Job
	otherExternalID *string
}

// UnmarshalJSONFrom leaves what it does not know aside; names are upstream's in
// their exact case, and none may come twice.
func (j *jobObject) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return eachMember(dec, func(name []byte) (err error) {
		switch string(name) {
		case "JobId":
			j.ID, err = orEmpty(readText[string](dec))
		case "JobName":
			j.Name, err = readText[string](dec)
		case "MediaLengthSeconds":
			j.MediaLengthSeconds, err = readNumber(dec)
		case "ExternalID":
			j.ExternalID, err = readText[string](dec)
		case "ExternalId":
			j.otherExternalID, err = readText[string](dec)
		case "Priority":
			j.Priority, err = readText[Priority](dec)
		case "Fidelity":
			j.Fidelity, err = readText[Fidelity](dec)
		case "JobStatus":
			j.Status, err = orEmpty(readText[JobStatus](dec))
		case "JobDifficulty":
			j.Difficulty, err = readText[JobDifficulty](dec)
		case "SourceLanguage":
			j.SourceLanguage, err = readText[string](dec)
		case "TargetLanguage":
			j.TargetLanguage, err = readText[string](dec)
		case "CreationDate":
			j.CreationDate, err = readDate(dec)
		case "AuthorizationDate":
			j.AuthorizationDate, err = readDate(dec)
		case "StartDate":
			j.StartDate, err = readDate(dec)
		case "DueDate":
			j.DueDate, err = readDate(dec)
		case "CompletedDate":
			j.CompletedDate, err = readDate(dec)
		case "ReturnDate":
			j.ReturnDate, err = readDate(dec)
		case "ReturnTargets":
			j.ReturnTargets, err = readReturnTargets(dec)
		case "Options":
			j.Options, err = readOptions(dec)
		default:
			err = dec.SkipValue()
		}
		return err
	})
}

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

// readReturnTargets reads a map of target names to settings, or to lists of them,
// in upstream's order.
func readReturnTargets(dec *jsontext.Decoder) ([]ReturnTarget, error) {
	var targets []ReturnTarget
	err := eachMember(dec, func(name []byte) error {
		kind := string(name)
		read := func(inside int) error {
			settings, err := readValue(dec, inside)
			if err == nil {
				targets = append(targets, ReturnTarget{kind, callbackURL(settings), settings})
			}
			return err
		}
		if dec.PeekKind() == '[' {
			return eachElement(dec, func() error { return read(1) })
		}
		return read(0)
	})
	return targets, err
}

func readOptions(dec *jsontext.Decoder) ([]JobOption, error) {
	var options []JobOption
	err := eachMember(dec, func(name []byte) error {
		option := JobOption{Name: string(name)}
		value, err := readValue(dec, 0)
		option.Value = value
		options = append(options, option)
		return err
	})
	return options, err
}

// callback is the callback_url of a return target's settings.
type callback struct{ url *string }

// UnmarshalJSONFrom takes settings that are no object, or a callback_url that is
// no text, for settings all the same: there is just no address to show.
func (c *callback) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		return dec.SkipValue()
	}
	return eachMember(dec, func(name []byte) (err error) {
		if string(name) == "callback_url" && dec.PeekKind() == '"' {
			c.url, err = readText[string](dec)
			return err
		}
		return dec.SkipValue()
	})
}

func callbackURL(settings jsontext.Value) *string {
	var found callback
	if json.Unmarshal(settings, &found) != nil {
		return nil
	}
	return found.url
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
