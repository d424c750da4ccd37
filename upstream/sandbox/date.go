package sandbox

import (
	"errors"
	"time"
)

// date is a moment in whole microseconds; zero is null. It is written as upstream does: UTC that does not say so, with
// as many fraction digits as needed, six at most.
type date struct{ time.Time }

const (
	dayLayout  = time.DateOnly
	dateLayout = "2006-01-02T15:04:05.999999"
)

func newDate(t time.Time) date { return date{t.UTC().Truncate(time.Microsecond)} }

// truncate leaves null as it is.
func (d date) truncate(unit time.Duration) date { return date{d.Truncate(unit)} }

// MarshalJSON implements json.Marshaler.
func (d date) MarshalJSON() ([]byte, error) {
	if d.IsZero() {
		return []byte("null"), nil
	}
	return append(d.AppendFormat([]byte{'"'}, dateLayout), '"'), nil
}

// UnmarshalJSON implements json.Unmarshaler. One of the sandbox's own jobs has dates with a zone.
func (d *date) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	t, err := time.Parse(`"`+dateLayout+`"`, string(text))
	if err != nil {
		t, err = time.Parse(`"`+time.RFC3339+`"`, string(text))
	}
	*d = newDate(t)
	return err
}

// parseDate reads a parameter: a day, or a time without a zone. The day is returned as its first and last moment.
func parseDate(text string) (first, last date, err error) {
	const day = 24 * time.Hour
	if t, err := time.Parse(dayLayout, text); err == nil {
		return newDate(t), newDate(t.Add(day - time.Microsecond)), nil
	}
	if len(text) > len(dateLayout) { // time.Parse takes any number of fraction digits
		return date{}, date{}, errors.New("more than six fraction digits")
	}
	t, err := time.Parse(dateLayout, text)
	return newDate(t), newDate(t), err
}
