package poll

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"jobgraph/upstream"
)

// A token's jobs that are live can be looked at all at once: a list for each status that is
// no end has them. A round makes these lists when a job is due, and they are the look of
// every job of the token. It is made where that costs less than what it saves: see worth.
//
// A list that fails, is too long or lags has the token polled by Info for a while; a job
// that is in none of the lists is asked for by Info.

const (
	// minListed is how many watched jobs of a token make a round worth a thought.
	minListed = 8
	// gather is how long a round waits for others that are due.
	gather = 10 * time.Millisecond
	// callBytes is how many bytes a call is worth, and jobBytes is about what a job has.
	callBytes = 4 << 10
	jobBytes  = 1 << 10
	// After a failure no round is made for minPause, then twice as long each time.
	minPause = 15 * time.Second
	maxPause = 10 * time.Minute
)

// live are the statuses that are no ends, in the order in which a job passes them. Lists come
// one after the other in this order: a job that moves on meanwhile is in two of them, of
// which the later one is the newer.
var live = []upstream.JobStatus{upstream.StatusAuthorizing, upstream.StatusPending, upstream.StatusInProcess, upstream.StatusReviewing}

// The ranks beside the places among the live statuses.
const (
	rankUnknown = -1  // not looked at yet
	rankEnd     = 100 // in no list
)

// rank is the status's place among the live ones; rankEnd for any other.
func rank(status upstream.JobStatus) int {
	for rank, s := range live {
		if s == status {
			return rank
		}
	}
	return rankEnd
}

// tokenJobs are the watched jobs of one token. Its fields are the Poller's mutex's.
type tokenJobs struct {
	token  string
	key    upstream.TokenKey
	jobs   map[*watchedJob]struct{}
	ctx    context.Context
	cancel context.CancelFunc
	member *member // nil: there is no fleet
	// local counts the pairs of a job and a subscriber of this instance, and remotes are
	// the other instances by name.
	local   int
	remotes map[string]*remote

	round *round // under way; nil: none
	// listed is how many jobs the last lists had, watched or not; 0: there were none yet.
	listed int
	// notBefore is when the next round may begin, after a failure, and pause how long that was.
	notBefore time.Time
	pause     time.Duration
}

// round is one look at all live jobs of a token.
type round struct{ done chan struct{} }

// look is what a look at a job gave. Its turns order it among all looks.
type look struct {
	state        upstream.Result // nil, from a list: the job is in none
	at           time.Time       // when it was asked for
	began, ended int64
	byList       bool
	under        standing // when it began
}

// listing is what a round knows of a watched job, which the job's own goroutine tells.
type listing struct {
	rank     atomic.Int32
	left     atomic.Bool  // lists leave it out, although it is live
	lookedAt atomic.Int64 // in nanoseconds; 0: never
	interval atomic.Int64 // until it is due again
}

// listable says whether a round may show the job.
func (l *listing) listable() bool { return int(l.rank.Load()) < rankEnd && !l.left.Load() }

// due is which part of the job's interval has passed: what a look is worth, in calls.
func (l *listing) due(now time.Time) float64 {
	looked, interval := l.lookedAt.Load(), l.interval.Load()
	if looked == 0 || interval <= 0 {
		return 1
	}
	return min(1, float64(now.UnixNano()-looked)/float64(interval))
}

// join has the job wait for the token's round, which begins where there is none. nil: the
// job is to be asked for by itself.
func (w *Poller) join(watched *watchedJob) *round {
	if w.lists == nil || !watched.listing.listable() {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t := watched.of
	switch {
	case t.round != nil:
	case len(t.jobs) < minListed, time.Now().Before(t.notBefore):
		return nil
	default:
		t.round = &round{make(chan struct{})}
		go w.run(t, t.round)
	}
	return t.round
}

// run makes the round, if it is worth it, and ends it for those who wait.
func (w *Poller) run(t *tokenJobs, r *round) {
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		t.round = nil
		close(r.done)
	}()
	if !sleep(t.ctx, gather) {
		return
	}
	byID, statuses, most := w.worth(t)
	if len(statuses) == 0 {
		return
	}
	looks := map[*watchedJob]look{}
	left := look{byList: true, under: t.member.current(t.ctx), began: w.turn.Add(1)}
	listed := 0
	for _, status := range statuses {
		read, ok := w.list(t, status, byID, most, looks)
		if !ok {
			w.rest(t)
			return
		}
		listed += read
	}
	w.mu.Lock()
	t.listed, t.pause = max(listed, 1), 0
	w.mu.Unlock()
	for _, jobs := range byID {
		for _, watched := range jobs {
			seen, ok := looks[watched]
			if !ok && watched.listing.left.Load() {
				continue
			}
			if !ok {
				seen = left
			}
			watched.show(seen)
		}
	}
}

// worth gives the jobs that a round would look at, by their lower-case ids, the statuses to
// list, and how many jobs of a list may be read; no statuses where the lists would cost
// more than the calls that they save.
func (w *Poller) worth(t *tokenJobs) (byID map[string][]*watchedJob, statuses []upstream.JobStatus, most int) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	first, saved := rankEnd, 0.0
	byID = make(map[string][]*watchedJob, len(t.jobs))
	for watched := range t.jobs {
		rank := int(watched.listing.rank.Load())
		if rank == rankEnd {
			continue
		}
		id := strings.ToLower(watched.key.ID)
		byID[id] = append(byID[id], watched)
		if !watched.listing.left.Load() {
			first = min(first, max(rank, 0))
			saved += watched.listing.due(now)
		}
	}
	if first == rankEnd {
		return nil, nil, 0
	}
	statuses = live[first:] // no job goes back
	listed := t.listed
	if listed == 0 {
		listed = len(byID)
	}
	budget := saved*(callBytes+jobBytes) - float64(len(statuses)*callBytes)
	if float64(listed*jobBytes) > budget {
		return nil, nil, 0
	}
	return byID, statuses, 2*int(budget/jobBytes) + 1
}

// list makes one list, and notes the looks that it is. ok is false where it has failed or is
// too long.
func (w *Poller) list(t *tokenJobs, status upstream.JobStatus, byID map[string][]*watchedJob, most int, looks map[*watchedJob]look) (read int, ok bool) {
	defer func() {
		if value := recover(); value != nil {
			w.logger.Error("a poll by list panicked", "error", upstream.PanicError(value))
			ok = false
		}
	}()
	request := upstream.NewListRequest(t.token, &upstream.Filter{Status: &status}, upstream.Selection{
		Read: most,
		Only: func(id string) bool { return len(byID[strings.ToLower(id)]) > 0 },
	})
	request.Fresh, request.Operation = true, w.operation
	w.observe()
	seen := look{at: time.Now(), byList: true, under: t.member.current(t.ctx), began: w.turn.Add(1)}
	list, err := w.lists.List(t.ctx, request)
	seen.ended = w.turn.Add(1)
	if err != nil || list.Cut {
		return 0, false
	}
	for _, job := range list.Jobs {
		if job.Status() != status { // it is no list of the status, whatever it is
			return 0, false
		}
		for _, watched := range byID[strings.ToLower(job.At.ID)] {
			seen.state = job.EncodedJob
			looks[watched] = seen
		}
	}
	return list.Read, true
}

// rest has the token's jobs polled by Info for a while.
func (w *Poller) rest(t *tokenJobs) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.pause = min(max(2*t.pause, minPause), maxPause)
	t.notBefore = time.Now().Add(t.pause)
}

// stale says whether what a list says of a job may be older than what is known. Where lists
// lag, a call that began later may tell of an earlier state: what is known by Info is
// older only where a list has said the same since, or the job has moved on.
func stale(known, listed upstream.Result, agreed bool) bool {
	before, ok := known.(*upstream.EncodedJob)
	after, isJob := listed.(*upstream.EncodedJob)
	if !ok || !isJob || *before == *after {
		return false
	}
	from, to := rank(before.Status()), rank(after.Status())
	return to < from || to == from && !agreed
}
