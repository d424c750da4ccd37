package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

var (
	errNotAList   = errors.New("not a complete list of jobs")
	errNotAnID    = errors.New("a job's id is not hexadecimal")
	errJobTooLong = errors.New("a job has too many bytes")
	// errEnough ends the reading of a list that has all that is wanted of it.
	errEnough = errors.New("the rest of the list is not wanted")
)

// readList calls job with the JSON text of each of the list's jobs, which is void when it
// returns, and account with the name of the list's account. It reads to the body's end.
// Values are told apart by their brackets and quotes alone: what is wrong within a job
// is that job's, and trailing commas are no errors, as in a job.
func readList(body io.Reader, job func(value []byte) error, account func(username string)) error {
	s := &scanner{reader: bufio.NewReaderSize(body, 32<<10)}
	jobs := false
	err := s.members(func(name []byte) error {
		switch string(name) {
		case `"ActiveJobs"`:
			if jobs {
				return errNotAList
			}
			jobs = true
			return s.elements(job)
		case `"Username"`:
			value, err := s.value()
			if err == nil && len(value) > 0 && value[0] == '"' && jsontext.Value(value).IsValid() {
				account(unquote(string(value)))
			}
			return err
		default:
			_, err := s.value()
			return err
		}
	})
	if err != nil {
		return err
	}
	if !jobs {
		return errNotAList
	}
	if _, err := s.next(); err != io.EOF {
		return cmpErr(err, errNotAList)
	}
	return nil
}

// cmpErr is err, or other where there is none.
func cmpErr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// scanner reads a JSON text value by value.
type scanner struct {
	reader *bufio.Reader
	text   []byte // of the last value
}

// next is the next byte that is no space, which is not taken.
func (s *scanner) next() (byte, error) {
	for {
		if _, err := s.reader.Peek(1); err != nil {
			return 0, err
		}
		chunk, _ := s.reader.Peek(s.reader.Buffered())
		for i, c := range chunk {
			if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
				_, err := s.reader.Discard(i)
				return c, err
			}
		}
		_, _ = s.reader.Discard(len(chunk))
	}
}

// take takes the next byte that is no space, which must be this one.
func (s *scanner) take(want byte) error {
	c, err := s.next()
	switch {
	case err != nil:
		return inside(err)
	case c != want:
		return errNotAList
	}
	_, err = s.reader.Discard(1)
	return err
}

// inside is the error of a text that ends too early.
func inside(err error) error {
	if err == io.EOF {
		return errNotAList
	}
	return err
}

// series reads what stands between brackets with commas, one of which may be the last.
func (s *scanner) series(open, end byte, each func() error) error {
	if err := s.take(open); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := s.next()
		if err == nil && c == ',' && !first {
			_, _ = s.reader.Discard(1)
			c, err = s.next()
		} else if err == nil && c != end && !first {
			err = errNotAList
		}
		switch {
		case err != nil:
			return inside(err)
		case c == end:
			_, err := s.reader.Discard(1)
			return err
		}
		if err := each(); err != nil {
			return err
		}
	}
}

func (s *scanner) members(each func(name []byte) error) error {
	return s.series('{', '}', func() error {
		name, err := s.value()
		switch {
		case err != nil:
			return err
		case len(name) == 0 || name[0] != '"':
			return errNotAList
		}
		name = bytes.Clone(name)
		if err := s.take(':'); err != nil {
			return err
		}
		return each(name)
	})
}

// elements reads a list, or null for an empty one.
func (s *scanner) elements(each func(value []byte) error) error {
	if c, err := s.next(); err == nil && c == 'n' {
		value, err := s.value()
		if err == nil && string(value) != "null" {
			err = errNotAList
		}
		return err
	}
	return s.series('[', ']', func() error {
		value, err := s.value()
		if err != nil {
			return err
		}
		return each(value)
	})
}

// value is the next value's text, void after the next one is read. Of one that has more
// than maxBody bytes it is nil.
func (s *scanner) value() ([]byte, error) {
	c, err := s.next()
	if err != nil {
		return nil, inside(err)
	}
	s.text = s.text[:0]
	scan := valueScan{scalar: c != '{' && c != '[' && c != '"'}
	for long := false; ; {
		if _, err := s.reader.Peek(1); err != nil {
			return nil, inside(err)
		}
		chunk, _ := s.reader.Peek(s.reader.Buffered())
		n, ended := scan.in(chunk)
		if long = long || len(s.text)+n > maxBody; !long {
			s.text = append(s.text, chunk[:n]...)
		}
		_, _ = s.reader.Discard(n)
		switch {
		case ended && long:
			return nil, nil
		case ended && len(s.text) == 0:
			return nil, errNotAList
		case ended:
			return s.text, nil
		}
	}
}

// valueScan looks for the end of a value.
type valueScan struct {
	scalar, inString, escaped bool
	depth                     int
}

// in says how much of the chunk is the value's, and whether the value ends there.
func (v *valueScan) in(chunk []byte) (n int, ended bool) {
	for i, c := range chunk {
		switch {
		case v.scalar:
			switch c {
			case ' ', '\n', '\r', '\t', ',', ']', '}', ':':
				return i, true
			}
		case v.escaped:
			v.escaped = false
		case v.inString:
			v.escaped = c == '\\'
			if c == '"' {
				v.inString = false
				if v.depth == 0 {
					return i + 1, true
				}
			}
		case c == '"':
			v.inString = true
		case c == '{' || c == '[':
			v.depth++
		case c == '}' || c == ']':
			if v.depth--; v.depth == 0 {
				return i + 1, true
			}
		}
	}
	return len(chunk), false
}

// decodeListed reads a job of a list, as strictly as one by itself.
func decodeListed(value []byte, report func(field, value string)) (ListedJob, error) {
	if value == nil {
		return ListedJob{}, errJobTooLong
	}
	d := decoders.Get().(*jobDecoder)
	defer d.release()
	job, err := d.decode(value, true, report)
	if err != nil {
		return ListedJob{}, err
	}
	listed := ListedJob{EncodedJob: job, At: PositionOf(job)}
	if name := d.texts[username]; len(name) > 0 {
		listed.Username = unquote(string(name))
	}
	if !isHex(listed.At.ID) {
		return ListedJob{}, errNotAnID
	}
	return listed, nil
}
