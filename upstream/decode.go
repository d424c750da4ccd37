package upstream

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json"
)

// errNotAJob says what a body lacks without quoting any of it.
var errNotAJob = errors.New("not a complete Job Info object")

// decodeJob reads a whole Job Info object. Duplicate names, invalid UTF-8, wrong
// types and anything after the object are errors; trailing commas are not,
// because the published example has one. Values of enums that are not known
// are reported and kept as Unrecognized.
func decodeJob(body []byte, report func(field, value string)) (*EncodedJob, error) {
	d := decoders.Get().(*jobDecoder)
	defer d.release()
	return d.decode(body, false, report)
}

// decode is decodeJob's; listed says that the job is a list's, where it has a Username.
func (d *jobDecoder) decode(body []byte, listed bool, report func(field, value string)) (*EncodedJob, error) {
	d.listed = listed
	if _, err := unmarshal(body, d.reset); err != nil {
		return nil, err
	}
	texts := &d.texts
	if len(texts[FieldID]) <= len(`""`) || len(texts[FieldStatus]) <= len(`""`) {
		return nil, errNotAJob
	}
	if len(texts[FieldExternalID]) == 0 {
		texts[FieldExternalID] = append(texts[FieldExternalID], texts[otherExternalID]...)
	}
	texts[FieldStatus] = recognize("JobStatus", texts[FieldStatus], jobStatuses, report)
	texts[FieldPriority] = recognize("Priority", texts[FieldPriority], priorities, report)
	texts[FieldFidelity] = recognize("Fidelity", texts[FieldFidelity], fidelities, report)
	texts[FieldDifficulty] = recognize("JobDifficulty", texts[FieldDifficulty], difficulties, report)
	d.record = appendRecord(d.record[:0], texts[:jobFields]...)
	return &EncodedJob{Record(d.record)}, nil // a copy, of just its size
}

// unmarshal is strict first: only a body that fails is read again, into a value that
// is empty again, without its trailing commas.
func unmarshal[T any](body []byte, empty func() *T) (*T, error) {
	value := empty()
	err := json.Unmarshal(body, value)
	if err == nil {
		return value, nil
	}
	repaired, changed := withoutTrailingCommas(body)
	if !changed {
		return nil, err
	}
	value = empty()
	if err := json.Unmarshal(repaired, value); err != nil {
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
