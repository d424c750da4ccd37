package tier

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"jobgraph/upstream"
)

// value is what is shared of a slot: a job, a list, or that there is no such job.
type value struct {
	// began is when the call of the job API did, by the clock of who made it; ttl is how long
	// it was worth from then on.
	began    time.Time
	ttl      time.Duration
	job      *upstream.EncodedJob
	list     *upstream.List
	notFound string // what the job API said
}

const (
	kindJob = iota + 1
	kindList
	kindNotFound
)

// maxMark bounds a mark, in bytes.
const maxMark = 128

var (
	errExpired = errors.New("the value is out of date")
	errForeign = errors.New("the value is not one of this fleet's")
)

// notFound is the error's comment, where it says that there is no such job.
func notFound(err error) string {
	if failed := upstream.ErrorOf(err); failed != nil && failed.Type == upstream.ItemNotFound {
		return failed.Comment
	}
	return ""
}

func (v value) err(id string) error {
	if v.notFound == "" {
		return nil
	}
	return &upstream.Error{Type: upstream.ItemNotFound, Comment: v.notFound, JobID: id, UpstreamType: new(string(upstream.ItemNotFound))}
}

// digits is a moment as the values begin with it: it orders them for Redis, which cannot read
// the rest.
func digits(nanoseconds int64) string { return fmt.Sprintf("%016x", uint64(nanoseconds)) }

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// size is about what the value has encoded, in bytes.
func (v value) size() int {
	size := 128 + len(v.notFound)
	if v.job != nil {
		size += v.job.Size()
	}
	if v.list != nil {
		for _, job := range v.list.Jobs {
			size += job.Size() + len(job.Username) + 16
		}
	}
	return size
}

// encode seals all that the value is, its moment too: digits of another value make it garbage.
func (t *Tier) encode(key string, v value) []byte {
	began := v.began.UnixNano()
	plain := make([]byte, 0, v.size())
	plain = binary.BigEndian.AppendUint64(plain, uint64(began))
	plain = binary.AppendUvarint(plain, uint64(v.ttl))
	switch {
	case v.job != nil:
		plain = append(append(plain, kindJob), v.job.Record...)
	case v.list != nil:
		plain = append(plain, kindList, flag(v.list.Cut), flag(v.list.Ordered))
		plain = binary.AppendUvarint(plain, uint64(v.list.Bytes))
		plain = binary.AppendUvarint(plain, uint64(v.list.Read))
		for _, job := range v.list.Jobs {
			plain = appendText(appendText(plain, string(job.Record)), job.Username)
		}
	default:
		plain = append(append(plain, kindNotFound), v.notFound...)
	}
	return append([]byte(digits(began)), t.fleet.Seal(key, plain)...)
}

func flag(is bool) byte {
	if is {
		return 1
	}
	return 0
}

func appendText(to []byte, text string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(text))), text...)
}

// decode reads what encode wrote. Anything else is an error.
func (t *Tier) decode(key string, stored []byte) (v value, err error) {
	plain, began, ok := t.open(key, stored)
	if !ok {
		return v, errForeign
	}
	r := reader{rest: plain}
	v.began, v.ttl = time.Unix(0, began), time.Duration(r.number())
	switch r.byte() {
	case kindJob:
		v.job = &upstream.EncodedJob{Record: upstream.Record(r.rest)}
	case kindList:
		v.list = &upstream.List{Cut: r.byte() == 1, Ordered: r.byte() == 1, Bytes: int(r.number()), Read: int(r.number())}
		for len(r.rest) > 0 && !r.failed {
			job := &upstream.EncodedJob{Record: upstream.Record(r.text())}
			username := r.text()
			if r.failed {
				break
			}
			v.list.Jobs = append(v.list.Jobs, upstream.ListedJob{EncodedJob: job, Username: username, At: upstream.PositionOf(job)})
		}
	case kindNotFound:
		v.notFound = string(r.rest)
	default:
		r.failed = true
	}
	if r.failed {
		return value{}, errForeign
	}
	return v, nil
}

// open is what was sealed, behind the moment that it begins with, which must be the one that
// Redis sees.
func (t *Tier) open(key string, stored []byte) (plain []byte, began int64, ok bool) {
	if len(stored) < 16 {
		return nil, 0, false
	}
	plain, ok = t.fleet.Open(key, stored[16:])
	if !ok || len(plain) < 8 {
		return nil, 0, false
	}
	began = int64(binary.BigEndian.Uint64(plain))
	return plain[8:], began, digits(began) == string(stored[:16])
}

func (t *Tier) encodeMark(key string, refused int64) []byte {
	return append([]byte(digits(refused)), t.fleet.Seal(key, binary.BigEndian.AppendUint64(nil, uint64(refused)))...)
}

func (t *Tier) decodeMark(key string, stored []byte) (refused int64, ok bool) {
	_, refused, ok = t.open(key, stored)
	return refused, ok
}

// reader reads a value piece by piece.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.failed = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) number() uint64 {
	n, length := binary.Uvarint(r.rest)
	if length <= 0 {
		r.failed = true
		return 0
	}
	r.rest = r.rest[length:]
	return n
}

func (r *reader) text() string {
	length := r.number()
	if r.failed || length > uint64(len(r.rest)) {
		r.failed = true
		return ""
	}
	text := string(r.rest[:length])
	r.rest = r.rest[length:]
	return text
}
