package poll

import (
	"math/rand/v2"
	"time"

	"jobgraph/upstream"
)

// bounds is the shortest and the longest time between two polls.
type bounds struct{ shortest, longest time.Duration }

// schedule is when one job is polled again.
type schedule struct {
	bounds
	interval time.Duration // since the last change; 0: the job has just changed
}

// restart makes the next time the shortest one.
func (s *schedule) restart() { s.interval = 0 }

// next is the time until the next poll: the shortest after a change and near the
// due date, half as long again after each poll that showed nothing new, twice as
// long after each failure, and no sooner than upstream asked for. A fifth more or less keeps thousands of jobs from
// being polled in the same moment.
func (s *schedule) next(state upstream.Result, changed bool) time.Duration {
	failure, failed := state.(*upstream.Error)
	switch {
	case failed:
		s.interval = max(2*s.interval, s.shortest)
	case changed || s.interval == 0:
		s.interval = s.shortest
	default:
		s.interval += s.interval / 2
	}
	s.interval = min(s.interval, s.longest)
	wait := jitter(s.interval)
	if failed {
		return max(wait, failure.RetryAfter)
	}
	return untilReturnEnd(state, untilDue(state, wait, s.bounds))
}

// untilReturnEnd has a job that was not returned polled when the job API gives up,
// which settles it.
func untilReturnEnd(state upstream.Result, wait time.Duration) time.Duration {
	job, ok := state.(*upstream.EncodedJob)
	if !ok {
		return wait
	}
	end, known := job.ReturnEnd()
	if left := time.Until(end); known && left > 0 {
		return min(wait, left)
	}
	return wait
}

// untilDue makes it the shortest time around the due date, from the longest time
// before it to the longest time after it.
func untilDue(state upstream.Result, wait time.Duration, bounds bounds) time.Duration {
	job, ok := state.(*upstream.EncodedJob)
	if !ok {
		return wait
	}
	date := job.DueDate()
	if date == nil {
		return wait
	}
	due := time.Until(*date)
	switch {
	case due.Abs() <= bounds.longest:
		return min(wait, jitter(bounds.shortest))
	case due > 0:
		return min(wait, max(due-bounds.longest, bounds.shortest))
	default:
		return wait
	}
}

func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
