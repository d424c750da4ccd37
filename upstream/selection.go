package upstream

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Undated is the Created of a job that has no creation date: it stands after all others.
const Undated = math.MinInt64

// Position is a job's place in the order of lists: the newest first, and of one moment the
// higher id first. The zero Position is no job's.
type Position struct {
	// Created is the job's creation date, in microseconds since 1970; or Undated.
	Created int64
	ID      string
}

// PositionOf is the job's.
func PositionOf(job *EncodedJob) Position {
	p := Position{Undated, job.ID()}
	if created := job.CreationDate(); created != nil {
		p.Created = min(max(created.UnixMicro(), earliest), latest)
	}
	return p
}

// earliest and latest are the creation dates that a filter can have, in microseconds.
var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC).UnixMicro()
)

// Valid says whether a job can stand there.
func (p Position) Valid() bool {
	return isHex(p.ID) && (p.Created == Undated || earliest <= p.Created && p.Created <= latest)
}

// Compare is negative where p stands before other.
func (p Position) Compare(other Position) int {
	return cmp.Or(cmp.Compare(other.Created, p.Created), cmp.Compare(other.ID, p.ID))
}

// MaxSelected bounds the jobs that are wanted of one list, in bytes.
const MaxSelected = 8 << 20

// selected is what is wanted of a list so far. It has twice as many jobs as are wanted at
// most: which the newest are is known when all have been read.
type selected struct {
	ListRequest
	jobs    []ListedJob
	size    int
	own     string // the list's account
	read    int
	bytes   int
	cut     bool
	ordered bool
	last    Position
}

func newSelected(r ListRequest) *selected { return &selected{ListRequest: r, ordered: true} }

// account is told of the list's own account, which may stand behind its jobs.
func (s *selected) account(username string) { s.own = username }

// add takes the list's next job; more is false where the rest need not be read.
func (s *selected) add(job ListedJob) (more bool) {
	s.read++
	s.ordered = s.ordered && (s.read == 1 || s.last.Compare(job.At) <= 0)
	s.last = job.At
	if s.wants(job) {
		s.jobs = append(s.jobs, job)
		s.size += job.Size()
	}
	if s.Most > 0 && (len(s.jobs) > 2*s.Most || s.size > MaxSelected) {
		s.newest()
	}
	s.cut = s.Read > 0 && s.read > s.Read || s.Most > 0 && s.size > MaxSelected
	return !s.cut
}

func (s *selected) wants(job ListedJob) bool {
	return (s.After == nil || s.After.Compare(job.At) < 0) &&
		(s.Only == nil || s.Only(job.At.ID)) && s.Filter.lets(job.EncodedJob)
}

// newest leaves the newest jobs, each once, as many as are wanted.
func (s *selected) newest() {
	slices.SortStableFunc(s.jobs, func(a, b ListedJob) int { return a.At.Compare(b.At) })
	s.jobs = slices.CompactFunc(s.jobs, func(a, b ListedJob) bool { return a.At == b.At })
	if s.Most > 0 && len(s.jobs) > s.Most {
		clear(s.jobs[s.Most:])
		s.jobs = s.jobs[:s.Most]
	}
	s.size = 0
	for _, job := range s.jobs {
		s.size += job.Size()
	}
}

func (s *selected) list() *List {
	s.newest()
	if s.Filter == nil || s.Filter.Username == nil {
		for i := range s.jobs {
			s.jobs[i].Username = cmp.Or(s.jobs[i].Username, s.own)
		}
	}
	return &List{Jobs: slices.Clip(s.jobs), Cut: s.cut, Ordered: s.ordered, Bytes: s.bytes, Read: s.read}
}
