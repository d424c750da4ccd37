package upstream

import "context"

type freshKey struct{}

// Fresh marks a context: what is asked with it is asked of upstream from now on.
// Neither what is kept will do, nor a call that began before.
func Fresh(ctx context.Context) context.Context {
	return context.WithValue(ctx, freshKey{}, true)
}

// IsFresh says whether the context was marked.
func IsFresh(ctx context.Context) bool {
	fresh, _ := ctx.Value(freshKey{}).(bool)
	return fresh
}
