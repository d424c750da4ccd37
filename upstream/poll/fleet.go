package poll

import (
	"context"
	"time"

	"jobgraph/upstream"
)

// Fleet is what the instances of a fleet share of the jobs that they watch, so that one of
// them polls the jobs of a token for all. No call of it waits long: an error says that the
// fleet cannot be reached, and has each instance poll for itself.
type Fleet interface {
	// Join takes part for a token. hear is called for each message about its jobs, one at
	// a time, and must not wait.
	Join(token string, hear func(Message)) Membership
	// Wake tells all instances of a callback for the job.
	Wake(id string)
	// OnWake has wake called for each callback that another instance tells of.
	OnWake(wake func(id string))
}

// Membership is an instance's part in what is shared of one token's jobs.
type Membership interface {
	// Claim takes or renews the lease of the token's jobs unless another instance has it.
	// known is the highest fencing number that this instance knows: the next one is above
	// it, and a holder below it has lost its lease.
	Claim(ctx context.Context, known int64, lease time.Duration) (Claim, error)
	// Release gives up the lease with the fencing number, and tells the others.
	Release(ctx context.Context, fence int64)
	// Store stores a job's state as the latest one and publishes it, if the fencing number
	// is that of the lease; held is false where it is not.
	Store(ctx context.Context, fence int64, state SharedState) (at Position, held bool, err error)
	// Load gives the latest states of those jobs that have one.
	Load(ctx context.Context, ids []string) ([]SharedState, error)
	// Remove removes the state of a job if it is still the one at the position.
	Remove(ctx context.Context, id string, at Position)
	// Interest tells the holder which jobs this instance watches.
	Interest(ctx context.Context, interest Interest) error
	// Close ends the part. hear is not called any more when it returns.
	Close()
}

// Claim is what a claim found.
type Claim struct {
	// Held says that the lease is this instance's.
	Held bool
	// Fence is the fencing number of the lease, whosever it is. It is one more with each
	// holder.
	Fence int64
	// Seq is the number of the last state that was stored under the lease.
	Seq int64
	// Turn is one more with each claim of any instance: who looks at a job after a claim
	// that gave a turn looks later than those who had a lower one.
	Turn int64
	// Left is the time until the lease ends, if it is not renewed.
	Left time.Duration
}

// Position orders the states of a token's jobs, in the order in which they were stored.
type Position struct{ Fence, Seq int64 }

func (p Position) after(q Position) bool {
	return p.Fence > q.Fence || p.Fence == q.Fence && p.Seq > q.Seq
}

// SharedState is a job's state as its poller tells it.
type SharedState struct {
	ID    string
	State upstream.Result
	// Last says that the job has settled.
	Last bool
	// At is where it stands among all; Store gives it.
	At Position
	// Turn is that of the poller's last claim before the look at the job began.
	Turn int64
}

// Interest is which jobs an instance watches, or does no more.
type Interest struct {
	From string
	IDs  []string
	// Need says that no state of them is known there.
	Need bool
	// Gone says that they are watched there no more.
	Gone bool
}

// Message is one of those that the instances send each other about a token's jobs.
type Message struct {
	State    *SharedState // a job's state was stored
	Interest *Interest
	Released bool // nobody holds the lease any more
}

// FleetStats are what a Poller did in a fleet so far.
type FleetStats struct {
	// Leases is for how many tokens it polls for the fleet.
	Leases int
	// Takeovers are leases that were another's before.
	Takeovers int64
	// Published and Received are states; Wakes are callbacks that came to another instance.
	Published, Received, Wakes int64
}
