package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds how deep a return target or an option is nested.
const maxDepth = 100

// errNotAJob says what a body lacks without quoting any of it.
var errNotAJob = errors.New("not a complete Job Info object")

// jobDecoding reads the types whose JSON form is upstream's own.
var jobDecoding = json.WithUnmarshalers(json.JoinUnmarshalers(
	json.UnmarshalFromFunc(decodeDate),
	json.UnmarshalFromFunc(decodeReturnTargets),
	json.UnmarshalFromFunc(decodeOptions),
))

// decodeJob reads a whole Job Info object. Duplicate names, invalid UTF-8, wrong
// types and anything after the object are errors; trailing commas are not,
// because the published example has one. Values of enums that are not known
// are reported and kept as Unrecognized.
func decodeJob(body []byte, report func(field, value string)) (*Job, error) {
	read, err := unmarshal[struct {
		Job
		OtherExternalID *string `json:"ExternalId"`
	}](body)
	if err != nil {
		return nil, err
	}
	job := &read.Job
	if job.ID == "" || job.Status == "" {
		return nil, errNotAJob
	}
	if job.ExternalID == nil {
		job.ExternalID = read.OtherExternalID
	}
	recognize("JobStatus", &job.Status, jobStatuses, report)
	recognize("Priority", job.Priority, priorities, report)
	recognize("Fidelity", job.Fidelity, fidelities, report)
	recognize("JobDifficulty", job.Difficulty, difficulties, report)
	return job, nil
}

// unmarshal is strict first: only a body that fails is read again, into a new
// value, without its trailing commas.
func unmarshal[T any](body []byte) (*T, error) {
	value := new(T)
	err := json.Unmarshal(body, value, jobDecoding)
	if err == nil {
		return value, nil
	}
	repaired, changed := withoutTrailingCommas(body)
	if !changed {
		return nil, err
	}
	value = new(T)
	if err := json.Unmarshal(repaired, value, jobDecoding); err != nil {
		return nil, err
	}
	return value, nil
}

// withoutTrailingCommas returns the JSON text with a space for each comma that
// stands after a value and before a closing bracket.
func withoutTrailingCommas(text []byte) (_ []byte, changed bool) {
	text = bytes.Clone(text)
	inString, escaped := false, false
	comma := -1           // where the comma stands that only space has followed
	previous := byte('[') // the last byte that is not space
	for i, c := range text {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped = c == '\\'
			inString = c != '"'
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		case c == ',':
			comma = -1
			if !bytes.ContainsRune([]byte("[{,:"), rune(previous)) {
				comma = i
			}
		case (c == '}' || c == ']') && comma >= 0:
			text[comma], comma, changed = ' ', -1, true
		default:
			inString = c == '"'
			comma = -1
		}
		previous = c
	}
	return text, changed
}

// dateLayouts are ISO 8601 with and without a zone; Go's parser takes a
// fraction after the seconds in both.
var dateLayouts = [...]string{"2006-01-02T15:04:05", time.RFC3339}

func decodeDate(dec *jsontext.Decoder, date *time.Time) error {
	var text string
	if err := json.UnmarshalDecode(dec, &text); err != nil {
		return err
	}
	for _, layout := range dateLayouts {
		if parsed, err := time.Parse(layout, text); err == nil {
			*date = parsed.UTC()
			return nil
		}
	}
	return errors.New("not an ISO 8601 date")
}

// decodeReturnTargets reads a map of target names to settings in upstream's order.
func decodeReturnTargets(dec *jsontext.Decoder, targets *[]ReturnTarget) error {
	return eachMember(dec, func(kind string, settings jsontext.Value) error {
		if settings.Kind() != '[' {
			*targets = append(*targets, newReturnTarget(kind, settings))
			return nil
		}
		var list []jsontext.Value
		if err := json.Unmarshal(settings, &list); err != nil {
			return err
		}
		for _, settings := range list {
			*targets = append(*targets, newReturnTarget(kind, settings))
		}
		return nil
	})
}

func newReturnTarget(kind string, settings jsontext.Value) ReturnTarget {
	var known struct {
		CallbackURL jsontext.Value `json:"callback_url"`
	}
	target := ReturnTarget{Kind: kind, Settings: notNull(settings)}
	// Settings that are no object, or a callback_url that is no text, are
	// still the target's settings: there is just no CallbackURL to show.
	if json.Unmarshal(settings, &known) == nil && known.CallbackURL.Kind() == '"' {
		_ = json.Unmarshal(known.CallbackURL, &target.CallbackURL)
	}
	return target
}

func decodeOptions(dec *jsontext.Decoder, options *[]JobOption) error {
	return eachMember(dec, func(name string, value jsontext.Value) error {
		*options = append(*options, JobOption{Name: name, Value: notNull(value)})
		return nil
	})
}

// notNull keeps a null out of fields that clients are promised a value for.
func notNull(value jsontext.Value) jsontext.Value {
	if value.Kind() == 'n' {
		return jsontext.Value("{}")
	}
	return value
}

// showable refuses values that are JSON but that the readers of clients may not
// take: nested deeper than maxDepth, or with a number that no float64 holds. One
// such job would make the answer with all the others unreadable.
func showable(value jsontext.Value) error {
	dec := jsontext.NewDecoder(bytes.NewReader(value))
	for {
		token, err := dec.ReadToken()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case dec.StackDepth() > maxDepth:
			return fmt.Errorf("a value is nested deeper than %d levels", maxDepth)
		}
		if token.Kind() == '0' {
			if _, err := strconv.ParseFloat(token.String(), 64); err != nil {
				return errors.New("a number is too large")
			}
		}
	}
}

// eachMember calls visit for each member of the object, or of none for null.
// The value belongs to visit: it is a copy.
func eachMember(dec *jsontext.Decoder, visit func(name string, value jsontext.Value) error) error {
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
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		key := name.String() // the token is void after the next read
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if err := showable(value); err != nil {
			return err
		}
		if err := visit(key, value.Clone()); err != nil {
			return err
		}
	}
	_, err = dec.ReadToken()
	return err
}
