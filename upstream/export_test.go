package upstream

import (
	"context"
	"io"
	"time"

	"jobgraph/upstream/http1"
)

// Queued is how many calls wait for their turn.
func (c *Client) Queued() int { return c.slots.Waiting() }

// Break makes every request panic with the text.
func (c *Client) Break(text string) { c.info, c.list = panics(text), panics(text) }

type panics string

func (p panics) Get(context.Context, time.Time, string, func(context.Context) error) (http1.Response, error) {
	panic(string(p))
}
func (p panics) Stream(context.Context, time.Time, string, func(io.Reader) error) (http1.Response, error) {
	panic(string(p))
}
func (p panics) Close() {}
