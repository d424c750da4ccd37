package poll

import (
	"context"
	"crypto/rand"
	"sync"
	"time"
)

// Of all instances that watch jobs of a token one polls them, for all: the holder of the
// token's lease. So a round of lists stays one round, however many instances watch a
// part of the jobs. The others are followers: they tell the holder which jobs they
// watch, hear of their states, and claim the lease themselves at each turn, which renews
// it for whoever holds it and gives it to the first after its end. A member that does
// not reach the fleet is alone, and polls as if there was none.

const (
	// maxClaims bounds the claims of an instance, a second: for many tokens, leases are longer.
	maxClaims = 1000
	// refreshEvery and forgetAfter are in paces: how often a follower tells all that it
	// watches, and when the holder forgets what was not told again.
	refreshEvery = 8
	forgetAfter  = 20
	// firstWait is how long a follower waits for the first state of a job.
	firstWait = time.Second
	// settle is how long messages may be under way that a claim knows of already.
	settle = 50 * time.Millisecond
	// chunk bounds the ids of a message and of a load.
	chunk = 500
	// claimWait bounds the wait for a claim that is under way.
	claimWait = 500 * time.Millisecond
	// maxMarks is how many claims are remembered, and maxEarly how many interests that came
	// before the claim they are for.
	maxMarks = 16
	maxEarly = 100
	// maxNoted bounds the ids that wait to be told.
	maxNoted = 10_000
)

// standing is what a member is at the moment: alone where Fence is 0, else the holder or
// a follower.
type standing struct {
	fence, turn int64
	held        bool
}

func (s standing) holds() bool   { return s.fence != 0 && s.held }
func (s standing) follows() bool { return s.fence != 0 && !s.held }

// mark is a claim that succeeded.
type mark struct{ number, fence, turn int64 }

// member is the poller's part in what is shared of a token.
type member struct {
	poller *Poller
	of     *tokenJobs
	name   string
	shared Membership
	kick   chan struct{} // holds one wish to claim
	news   chan struct{} // holds one: there are ids to tell
	swept  time.Time     // of what others have not told again: the goroutine's

	mu      sync.Mutex
	now     standing
	until   time.Time     // now is not to be trusted any more
	claimed chan struct{} // closed after the next claim
	known   int64         // the highest fencing number
	seq     int64         // of the last state that was heard, under now.fence
	claims  int64         // begun
	marks   []mark
	added   []string // watched since the last message
	gone    []string // watched no more
	lost    bool     // a message was
	// early are interests that came while a claim was under way: it may make this member
	// the holder that they are for.
	early    []*Interest
	claiming bool
}

func newMember(w *Poller, t *tokenJobs) *member {
	m := &member{poller: w, of: t, name: rand.Text(), kick: make(chan struct{}, 1), news: make(chan struct{}, 1), claimed: make(chan struct{})}
	m.shared = w.fleet.Join(t.token, m.hear)
	return m
}

// signal leaves a wish in a channel that holds one.
func signal(wish chan struct{}) {
	select {
	case wish <- struct{}{}:
	default:
	}
}

// run claims until ctx is done.
func (m *member) run(ctx context.Context) {
	defer m.close()
	timer := time.NewTimer(m.turn(ctx))
	defer timer.Stop()
	refreshed := time.Now()
	for {
		select {
		case <-timer.C:
			timer.Reset(m.turn(ctx))
		case <-m.kick:
			timer.Reset(m.turn(ctx))
		case <-m.news:
			if !sleep(ctx, gather) {
				return
			}
			m.tell(ctx)
		case <-ctx.Done():
			return
		}
		if m.standing().follows() && time.Since(refreshed) > refreshEvery*m.pace() {
			refreshed = time.Now()
			m.interest(ctx, m.ids(), Interest{})
		}
	}
}

// close gives the lease up.
func (m *member) close() {
	ctx, cancel := context.WithTimeout(context.Background(), claimWait)
	defer cancel()
	if now := m.standing(); now.holds() {
		m.shared.Release(ctx, now.fence)
	}
	m.shared.Close()
	m.become(standing{}, time.Hour)
}

// pace is what a lease's length is one and a half of, and the time between claims five eighths.
func (m *member) pace() time.Duration {
	m.poller.mu.Lock()
	defer m.poller.mu.Unlock()
	return max(m.poller.bounds.shortest, time.Duration(len(m.poller.tokens))*time.Second*8/5/maxClaims)
}

// turn claims once, and gives the time until the next turn.
func (m *member) turn(ctx context.Context) time.Duration {
	pace := m.pace()
	lease := pace * 3 / 2
	m.mu.Lock()
	m.claims++
	m.claiming = true
	number, known, before := m.claims, m.known, m.now
	m.mu.Unlock()
	began := time.Now()
	claim, err := m.shared.Claim(ctx, known, lease)
	if err != nil {
		m.become(standing{}, 2*pace)
		return jitter(pace)
	}
	now := standing{claim.Fence, claim.Turn, claim.Held}
	m.mu.Lock()
	m.known = max(m.known, claim.Fence)
	m.marks = append(m.marks, mark{number, claim.Fence, claim.Turn})
	if len(m.marks) > maxMarks {
		m.marks = m.marks[1:]
	}
	m.mu.Unlock()
	fresh := before.fence != now.fence || before.held != now.held
	m.become(now, lease-time.Since(began))
	switch {
	case now.holds():
		if fresh && before.follows() {
			m.poller.takeovers.Add(1)
		}
		if time.Since(m.swept) > refreshEvery*pace {
			m.swept = time.Now()
			m.poller.forget(m.of, m.swept)
		}
	case fresh:
		m.poller.forget(m.of, time.Time{}) // they tell the new holder
		m.catchUp(claim.Seq)
		m.mu.Lock()
		m.added = nil // they are among all
		m.mu.Unlock()
		m.announce(ctx, m.ids())
	default:
		m.compare(ctx, claim.Seq)
	}
	next := jitter(pace * 5 / 8)
	if now.follows() {
		next = min(next, max(claim.Left, 0)+settle)
	}
	return next
}

// become is what all who wait for a claim see.
func (m *member) become(now standing, valid time.Duration) {
	m.mu.Lock()
	before, early := m.now, m.early
	m.now, m.until = now, time.Now().Add(valid)
	if before.fence != now.fence || before.held != now.held {
		m.seq, m.lost = 0, false
	}
	m.early, m.claiming = nil, false
	close(m.claimed)
	m.claimed = make(chan struct{})
	m.mu.Unlock()
	switch {
	case now.holds() && !before.holds():
		m.poller.leases.Add(1)
		for _, in := range early {
			m.poller.interested(m.of, in, m.forgetAt())
		}
	case !now.holds() && before.holds():
		m.poller.leases.Add(-1)
	}
	if before.follows() && !now.follows() {
		m.poller.poke(m.of)
	}
}

func (m *member) standing() standing {
	if m == nil {
		return standing{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// current is the standing as the last claim found it, if that is not too long ago: after a
// pause of the process it waits for the next claim.
func (m *member) current(ctx context.Context) standing {
	if m == nil {
		return standing{}
	}
	timer := time.NewTimer(claimWait)
	defer timer.Stop()
	for {
		m.mu.Lock()
		now, valid, claimed := m.now, time.Now().Before(m.until), m.claimed
		m.mu.Unlock()
		if valid {
			return now
		}
		select {
		case <-claimed:
		case <-timer.C:
			return standing{}
		case <-ctx.Done():
			return standing{}
		}
	}
}

// begun is how many claims were.
func (m *member) begun() int64 {
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.claims
}

// poke has the token's jobs that have no state yet looked at now.
func (w *Poller) poke(t *tokenJobs) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for watched := range t.jobs {
		signal(watched.poke)
	}
}
