package poll

import (
	"context"
	"time"

	"jobgraph/upstream"
)

// none says that the fleet has the latest state that is known here.
const none = -1

// storeEvery is after how long a state is stored again that has not changed, well before
// it expires.
const storeEvery = 20 * time.Minute

// sharing is what a job's goroutine knows of the job in the fleet.
type sharing struct {
	*member // nil: there is no fleet
	id      string
	at      Position // of the newest state that was stored or heard
	// own is how many claims had begun when the last look ended that the fleet does not
	// have. Only a state whose look began after a later claim is surely newer than that one.
	own     int64
	heard   int64 // the fencing number of the holder that has told of the job
	unheard int   // turns of the timer without one
	failed  bool  // the last look of this instance's own did: the holder, whose did not, has nothing to tell

	stored   upstream.Result // under fence, at storedAt; nil: it is to be stored
	fence    int64
	storedAt time.Time
}

// relies says whether another instance looks at the job now that the timer has gone off:
// the holder, as long as it tells of the job under its lease. Else it may refuse the job, and after
// two turns, or the wait for the first state, this instance looks for itself.
func (s *sharing) relies(ctx context.Context, known bool) bool {
	now := s.member.current(ctx)
	switch {
	case !now.follows():
		s.unheard = 0
		return false
	case s.heard == now.fence && known && !s.failed:
		return true
	}
	s.unheard++
	return s.unheard == 1 || known && s.unheard == 2
}

// wait is how long a follower leaves the job to the holder.
func (s *sharing) wait(schedule *schedule, known upstream.Result) time.Duration {
	if known == nil {
		return firstWait
	}
	return schedule.next(known, false)
}

// verdict is what comes of a state of the fleet.
type verdict int

const (
	ignore verdict = iota
	accept
	verify // by a look
)

// judge orders a state of the fleet among all that was known before. The positions order it among
// those of the fleet. After a look of this instance's own that the fleet does not have, it
// counts only if it is surely newer: else it may be what was before, and a look tells.
func (s *sharing) judge(state SharedState, known upstream.Result) verdict {
	if s.at.after(state.At) {
		return ignore
	}
	s.heard, s.unheard = max(s.heard, state.At.Fence), 0
	if s.at == state.At {
		return ignore
	}
	s.at = state.At
	if s.own != none && known != nil && !s.newer(state, s.own) {
		switch {
		case !same(known, state.State):
			return verify
		case !state.Last:
			return ignore
		}
	}
	s.own, s.failed = none, false
	return accept
}

// store gives a look to the fleet, if it began under the lease; ok is false where the lease is
// another's by now: that one's looks are newer, and this one tells nobody anything.
func (s *sharing) store(ctx context.Context, seen look, last bool) (ok bool) {
	switch {
	case s.member == nil:
		return true
	case !seen.under.holds():
		failed, isError := seen.state.(*upstream.Error)
		s.own, s.failed = s.begun(), isError && failed.Retryable()
		return true
	case s.fence == seen.under.fence && !last && same(s.stored, seen.state) && time.Since(s.storedAt) < storeEvery:
		s.own = none
		return true
	}
	at, held, err := s.shared.Store(ctx, seen.under.fence,
		SharedState{ID: s.id, State: seen.state, Last: last, Turn: seen.under.turn})
	switch {
	case err != nil:
		s.stored, s.own = nil, s.begun()
		return true
	case !held:
		signal(s.kick)
		return false
	}
	s.poller.published.Add(1)
	s.at, s.own = at, none
	s.stored, s.fence, s.storedAt = seen.state, at.Fence, time.Now()
	return true
}

// restate stores the last look's state anew; false where a look is needed for that.
func (s *sharing) restate(ctx context.Context, last look) bool {
	s.stored = nil
	now := s.standing()
	if !now.holds() {
		return true
	}
	return last.state != nil && last.under.fence == now.fence && s.store(ctx, last, false)
}

// remove has nobody served what is not looked at any more.
func (s *sharing) remove() {
	if s.member == nil || s.stored == nil || s.own != none {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), claimWait)
	defer cancel()
	s.shared.Remove(ctx, s.id, s.at)
}
