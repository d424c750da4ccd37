package poll

import (
	"math/rand/v2"
	"time"

	"jobgraph/upstream"
)

// pace is the shortest and the longest time between two looks.
type pace struct{ shortest, longest time.Duration }

// rhythm is when one job is looked at again.
type rhythm struct {
	pace
	rest time.Duration // since the last change; 0: the job has just changed
}

// restart makes the next time the shortest one.
func (r *rhythm) restart() { r.rest = 0 }

// next is the time until the next look: the shortest after a change and near the
// due date, half as long again after each look that showed nothing new, twice as
// long after each failure, and no sooner than upstream asked for. A fifth more or less keeps thousands of jobs from
// being looked at in the same moment.
func (r *rhythm) next(state upstream.Result, changed bool) time.Duration {
	failure, failed := state.(*upstream.Error)
	switch {
	case failed:
		r.rest = max(2*r.rest, r.shortest)
	case changed || r.rest == 0:
		r.rest = r.shortest
	default:
		r.rest += r.rest / 2
	}
	r.rest = min(r.rest, r.longest)
	wait := jitter(r.rest)
	if failed {
		return max(wait, failure.RetryAfter)
	}
	return untilReturnEnd(state, untilDue(state, wait, r.pace))
}

// untilReturnEnd has a job that was not returned looked at when the job API gives up,
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
func untilDue(state upstream.Result, wait time.Duration, pace pace) time.Duration {
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
	case due.Abs() <= pace.longest:
		return min(wait, jitter(pace.shortest))
	case due > 0:
		return min(wait, max(due-pace.longest, pace.shortest))
	default:
		return wait
	}
}

func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
