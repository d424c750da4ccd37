package upstream

import "time"

// Pauses are which callers upstream told to wait, as other processes that ask it have
// heard. Its methods are called from many goroutines, and wait for nothing.
type Pauses interface {
	// Remaining is how long the request's caller still has to wait; 0: not at all.
	Remaining(Request) time.Duration
	// Limit tells that the request's caller has to wait.
	Limit(Request, time.Duration)
}

// limit has the request's caller wait, here and wherever else it asks.
func (c *Client) limit(r Request, wait time.Duration) {
	if wait > 0 {
		c.limits.Limit(r.Key.Token, wait)
		c.pauses.Limit(r, wait)
	}
}

type noPauses struct{}

func (noPauses) Remaining(Request) time.Duration { return 0 }
func (noPauses) Limit(Request, time.Duration)    {}
