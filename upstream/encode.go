package upstream

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Encode gives the job as the server keeps it. Text that is not UTF-8 has U+FFFD in
// the place of what is wrong; JSON that is empty is {}.
func (j Job) Encode() *EncodedJob {
	var targets, options []byte
	for _, t := range j.ReturnTargets {
		targets = appendEntry(targets, quoted(&t.Kind), quoted(t.CallbackURL), orObject(t.Settings))
	}
	for _, o := range j.Options {
		options = appendEntry(options, quoted(&o.Name), orObject(o.Value))
	}
	texts := [...][]byte{
		FieldID:                 quoted(&j.ID),
		FieldName:               quoted(j.Name),
		FieldMediaLengthSeconds: optional(appendNumber, j.MediaLengthSeconds),
		FieldExternalID:         quoted(j.ExternalID),
		FieldPriority:           quoted(j.Priority),
		FieldFidelity:           quoted(j.Fidelity),
		FieldStatus:             quoted(&j.Status),
		FieldDifficulty:         quoted(j.Difficulty),
		FieldSourceLanguage:     quoted(j.SourceLanguage),
		FieldTargetLanguage:     quoted(j.TargetLanguage),
		FieldCreationDate:       optional(AppendDate, j.CreationDate),
		FieldAuthorizationDate:  optional(AppendDate, j.AuthorizationDate),
		FieldStartDate:          optional(AppendDate, j.StartDate),
		FieldDueDate:            optional(AppendDate, j.DueDate),
		FieldCompletedDate:      optional(AppendDate, j.CompletedDate),
		FieldReturnDate:         optional(AppendDate, j.ReturnDate),
		FieldReturnTargets:      targets,
		FieldOptions:            options,
	}
	return &EncodedJob{Record(appendRecord(nil, texts[:]...))}
}

// The fields of an [Error]'s Record.
const (
	ErrorFieldType = iota
	ErrorFieldComment
	ErrorFieldJobID
	ErrorFieldUpstreamType
	ErrorFieldRetryable
	ErrorFieldRetryAfterSeconds
)

// Encode gives what clients see of the error.
func (e *Error) Encode() Record {
	return Record(appendRecord(nil,
		quoted(&e.Type),
		quoted(&e.Comment),
		quoted(&e.JobID),
		quoted(e.UpstreamType),
		strconv.AppendBool(nil, e.Retryable()),
		optional(appendInt, e.RetryAfterSeconds())))
}

func appendInt(to []byte, i int) []byte { return strconv.AppendInt(to, int64(i), 10) }

func quoted[S ~string](text *S) []byte {
	return optional(func(to []byte, text S) []byte {
		to, _ = jsontext.AppendQuote(to, text) // whose error says that it was not UTF-8
		return to
	}, text)
}

func optional[V any](appendValue func([]byte, V) []byte, value *V) []byte {
	if value == nil {
		return nil
	}
	return appendValue(nil, *value)
}

func orObject(value jsontext.Value) []byte {
	if len(value) == 0 {
		return []byte("{}")
	}
	return value
}

func appendNumber(to []byte, f float64) []byte { return strconv.AppendFloat(to, f, 'g', -1, 64) }

// AppendDate appends RFC 3339 in UTC with the digits of the second that the time has.
func AppendDate(to []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(to, '"'), time.RFC3339Nano), '"')
}

// textOf decodes a JSON text, nil where it is null.
func textOf[S ~string](json string) *S {
	if json == "" {
		return nil
	}
	text := S(unquote(json))
	return &text
}

func unquote(json string) string {
	if strings.IndexByte(json, '\\') < 0 {
		return json[1 : len(json)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, json)
	return string(text)
}

func numberOf(json string) *float64 {
	if json == "" {
		return nil
	}
	number, _ := strconv.ParseFloat(json, 64)
	return &number
}

func dateOf(json string) *time.Time {
	if json == "" {
		return nil
	}
	text := json[1 : len(json)-1]
	date, err := time.Parse(time.RFC3339, text)
	if err != nil {
		date = farDate(text)
	}
	date = date.UTC()
	return &date
}

// farDate reads a date that its zone has moved out of the years that RFC 3339 has, such
// as the last moment of 9999 in the west. It reads the same date of a year that has the
// same days, as each 400th has, and moves it.
func farDate(text string) time.Time {
	end := 1 + strings.IndexByte(text[1:], '-') // a year before 0 begins with a minus
	year, _ := strconv.Atoi(text[:end])
	near := 2000 + (year%400+400)%400
	date, _ := time.Parse(time.RFC3339, fmt.Sprintf("%04d", near)+text[end:])
	return date.AddDate(year-near, 0, 0)
}
