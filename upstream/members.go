package upstream

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

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
