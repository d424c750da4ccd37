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
func decodeJob(body []byte, report func(field, value string)) (*Job, error) {
	read, err := unmarshal[jobObject](body)
	if err != nil {
		return nil, err
	}
	job := &read.Job
	if job.ID == "" || job.Status == "" {
		return nil, errNotAJob
	}
	if job.ExternalID == nil {
		job.ExternalID = read.otherExternalID
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
	err := json.Unmarshal(body, value)
	if err == nil {
		return value, nil
	}
	repaired, changed := withoutTrailingCommas(body)
	if !changed {
		return nil, err
	}
	value = new(T)
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
