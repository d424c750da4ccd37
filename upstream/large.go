package upstream

import (
	"context"
	"errors"

	"golang.org/x/sync/semaphore"
)

// maxLarge bounds the bodies of more than 64 KiB that are read and decoded at the same
// time, over all calls: each may have maxBody, and its decoding takes as much again,
// twice. A documented job has 700 bytes, and never waits for these.
const maxLarge = 8

// errLargeBusy says that the call ended while its body waited for others.
var errLargeBusy = errors.New("too many large bodies are being read")

// largeBody is a call's part of maxLarge, from when its body turns out to be large
// until release. One goroutine owns it.
type largeBody struct {
	all  *semaphore.Weighted
	held bool
}

// acquire waits until ctx ends.
func (b *largeBody) acquire(ctx context.Context) error {
	if b.held {
		return nil
	}
	if b.all.Acquire(ctx, 1) != nil {
		return errLargeBusy
	}
	b.held = true
	return nil
}

func (b *largeBody) release() {
	if b.held {
		b.all.Release(1)
	}
}
