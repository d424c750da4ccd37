package upstream

import (
	"errors"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// jobDecoder reads a Job Info object member by member, with the decoder's tokens, into
// the texts of its record. By json's reflection over a struct it took twice as long.
type jobDecoder struct {
	texts  [jobMembers][]byte
	record []byte
	listed bool // a list's job has a Username
}

// jobMembers are jobFields, what upstream has two names for, and what only lists have.
const (
	otherExternalID = jobFields + iota
	username
	jobMembers
)

// A reader appends the next value, as the JSON text that an answer shows, to what is
// empty; nothing for null.
type reader func(to []byte, dec *jsontext.Decoder) ([]byte, error)

// members are upstream's names, in their exact case.
var members = map[string]struct {
	field int
	read  reader
}{
	"JobId":              {FieldID, readText},
	"JobName":            {FieldName, readText},
	"MediaLengthSeconds": {FieldMediaLengthSeconds, readNumber},
	"ExternalID":         {FieldExternalID, readText},
	"ExternalId":         {otherExternalID, readText},
	"Priority":           {FieldPriority, readText},
	"Fidelity":           {FieldFidelity, readText},
	"JobStatus":          {FieldStatus, readText},
	"JobDifficulty":      {FieldDifficulty, readText},
	"SourceLanguage":     {FieldSourceLanguage, readText},
	"TargetLanguage":     {FieldTargetLanguage, readText},
	"CreationDate":       {FieldCreationDate, readDate},
	"AuthorizationDate":  {FieldAuthorizationDate, readDate},
	"StartDate":          {FieldStartDate, readDate},
	"DueDate":            {FieldDueDate, readDate},
	"CompletedDate":      {FieldCompletedDate, readDate},
	"ReturnDate":         {FieldReturnDate, readDate},
	"ReturnTargets":      {FieldReturnTargets, readReturnTargets},
	"Options":            {FieldOptions, readOptions},
}

// UnmarshalJSONFrom leaves what it does not know aside; no name may come twice.
func (d *jobDecoder) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return eachMember(dec, func(quoted jsontext.Value) error {
		name, err := unquoted(quoted)
		if err != nil {
			return err
		}
		member, known := members[string(name)]
		if !known && d.listed && string(name) == "Username" && dec.PeekKind() == '"' {
			d.texts[username], err = readText(d.texts[username], dec)
			return err
		}
		if !known {
			return dec.SkipValue()
		}
		d.texts[member.field], err = member.read(d.texts[member.field], dec)
		return err
	})
}

// maxTargets bounds the return targets, in bytes: each entry of a list has the name of
// the list, so that a long name of a long list would be far more than the body.
const maxTargets = 4 * maxBody

var errManyTargets = errors.New("the return targets are too large")

// readReturnTargets reads a map of target names to settings, or to lists of them,
// in upstream's order.
func readReturnTargets(to []byte, dec *jsontext.Decoder) ([]byte, error) {
	err := eachMember(dec, func(name jsontext.Value) error {
		var buffer [64]byte // the name is void after the next read
		kind := append(buffer[:0], requoted(name)...)
		read := func(inside int) error {
			settings, err := readValue(dec, inside)
			if err != nil {
				return err
			}
			to = appendEntry(to, kind, callbackURL(settings), settings)
			if len(to) > maxTargets {
				return errManyTargets
			}
			return nil
		}
		if dec.PeekKind() == '[' {
			return eachElement(dec, func() error { return read(1) })
		}
		return read(0)
	})
	return to, err
}

func readOptions(to []byte, dec *jsontext.Decoder) ([]byte, error) {
	err := eachMember(dec, func(name jsontext.Value) error {
		var buffer [64]byte
		option := append(buffer[:0], requoted(name)...)
		value, err := readValue(dec, 0)
		if err == nil {
			to = appendEntry(to, option, value)
		}
		return err
	})
	return to, err
}

// callbackURL is the callback_url of a return target's settings. Settings that are no
// object, or a callback_url that is no text, are settings all the same: there is just no
// address to show.
func callbackURL(settings jsontext.Value) jsontext.Value {
	if settings.Kind() != '{' {
		return nil
	}
	depth := 0
	for rest := settings; len(rest) > 0; {
		length := 1
		switch rest[0] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			length = textLength(rest)
			if depth > 1 {
				break
			}
			value, isName := afterColon(rest[length:])
			if name, _ := unquoted(rest[:length]); !isName || string(name) != "callback_url" {
				break
			}
			if value.Kind() != '"' {
				return nil
			}
			return requoted(value[:textLength(value)])
		}
		rest = rest[length:]
	}
	return nil
}

// decoders are for use again. One that has read a large body is left to the collector.
var decoders = sync.Pool{New: func() any { return new(jobDecoder) }}

// maxPooled bounds what a decoder keeps, in bytes.
const maxPooled = 64 << 10

func (d *jobDecoder) reset() *jobDecoder {
	for i := range d.texts {
		d.texts[i] = d.texts[i][:0]
	}
	return d
}

func (d *jobDecoder) release() {
	size := cap(d.record)
	for _, text := range d.texts {
		size += cap(text)
	}
	if size <= maxPooled {
		decoders.Put(d)
	}
}
