package upstream

import "context"

// Keeper keeps what upstream says of jobs: what they are, or why they cannot be had. It
// is told in the order in which upstream was asked: after one call has, no call for the
// same job and token that began before it does. What failed on the way says nothing.
// Its methods must be quick and make no call themselves.
type Keeper interface {
	// CallBegun comes before upstream is asked.
	CallBegun()
	// CallEnded comes before any caller has the result, which is [Client.Job]'s: a job,
	// or an [*Error] that is not retryable.
	CallEnded(job *Job, err error)
}

type keeperKey struct{}

// WithKeeper has the keeper told of a call that is begun with the context. It is told
// nothing where its caller joins another's call: that one has a keeper of its own.
func WithKeeper(ctx context.Context, k Keeper) context.Context {
	return context.WithValue(ctx, keeperKey{}, k)
}

// KeeperFrom is for sources other than a [Client]; nobody where the context has none.
func KeeperFrom(ctx context.Context) Keeper {
	if k, ok := ctx.Value(keeperKey{}).(Keeper); ok {
		return k
	}
	return noKeeper{}
}

type noKeeper struct{}

func (noKeeper) CallBegun()            {}
func (noKeeper) CallEnded(*Job, error) {}
