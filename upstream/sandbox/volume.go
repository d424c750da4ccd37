package sandbox

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
)

// MaxJobs is the most that [Options].Jobs can be.
const MaxJobs = 1_000_000

// volumePrefix begins the ids of the jobs that an account has for volume: the job's number follows in 24 hex digits, 0
// the newest.
const volumePrefix = "70000000"

// VolumeJobID is the id of one of [Options].Jobs, 0 the newest.
func VolumeJobID(number int) string { return fmt.Sprintf("%s%024x", volumePrefix, number) }

// volume is an account with many jobs, none of them stored: each follows from its number and the clock. One is created
// every 30 seconds up to the server's start, and lives once, for one to seven days: about 12,000 of them are not done yet.
type volume struct {
	jobs int
	// born is the creation of the newest.
	born time.Time
}

func newVolume(jobs int, started time.Time) volume {
	return volume{min(max(jobs, 0), MaxJobs), newDate(started).Time}
}

// index is the number in an id.
func (v volume) index(id string) (int, bool) {
	digits, found := strings.CutPrefix(id, volumePrefix)
	if !found || len(id) != len(DocumentedJobID) {
		return 0, false
	}
	i, err := strconv.ParseUint(digits, 16, 32)
	return int(i), err == nil && i < uint64(v.jobs) && VolumeJobID(int(i)) == id
}

const (
	volumeGap   = 30 * time.Second
	volumeBatch = 10
)

// created is when a job came. Of every fifth batch of ten, all came in the same microsecond, as one import makes them.
func (v volume) created(i int) time.Time {
	if i/volumeBatch%5 == 4 {
		i -= i % volumeBatch
	}
	return v.born.Add(-time.Duration(i) * volumeGap)
}

// between are the numbers, from the first up to the end, of those created from and to a date, both included; zero: no
// such end.
func (v volume) between(from, to date) (first, end int) {
	end = v.jobs
	if !to.IsZero() {
		first = sort.Search(v.jobs, func(i int) bool { return !v.created(i).After(to.Time) })
	}
	if !from.IsZero() {
		end = sort.Search(v.jobs, func(i int) bool { return v.created(i).Before(from.Time) })
	}
	return first, end
}

func (v volume) job(i int) job {
	return job{Description{VolumeJobID(i), "one of many", ownAccount}, func(_, now time.Time) view {
		return view{info: v.life(i, now).info(v.order(i))}
	}}
}

func (v volume) life(i int, now time.Time) life {
	days := [...]time.Duration{7, 2, 7, 4, 7, 1, 7}[i%7]
	m := good
	if i%13 == 12 {
		m = bad
	}
	return onceAt(days*24*time.Hour*100/due, v.created(i), now, m)
}

func (v volume) order(i int) order {
	o := order{
		id:         VolumeJobID(i),
		name:       fmt.Sprintf("%s_%06d", [...]string{"lecture", "news", "interview", "panel"}[i%4], i),
		externalID: fmt.Sprintf("volume-%06d", i),
		priority:   "STANDARD",
		fidelity:   [...]string{"MECHANICAL", "STANDARD", "HIGH"}[i%3],
	}
	if i%7 == 5 {
		o.priority = "PRIORITY"
	}
	if i%100 == 99 { // the next newer one was made from the same file
		o.externalID = fmt.Sprintf("volume-%06d", i-1)
	}
	return o
}
