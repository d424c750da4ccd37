package upstream

import (
	"context"
	"errors"
	"net/http"
	"time"

	"jobgraph/upstream/http1"
)

// maxBody bounds an answer, in bytes after decompression. A documented job has 700.
const maxBody = 1 << 20

// getJob makes one HTTP request and reads its answer.
func (c *Client) getJob(ctx context.Context, deadline time.Time, token, id string) (*EncodedJob, *Error) {
	large := largeBody{all: c.large}
	defer large.release() // when it has been decoded
	answer, err := c.info.Get(ctx, deadline, "v=1&api_token="+token+"&job_id="+id, large.acquire)
	switch {
	case answer.Status == 0:
		return nil, unreachable(token, id, err)
	case errors.Is(err, errLargeBusy):
		c.observer.Refused("BUSY")
		return nil, busy(token, id)
	case err != nil && timedOut(err) && answer.Status < 500:
		return nil, timeoutError(token, id, err)
	case answer.Status != http.StatusOK:
		return nil, errorFromResponse(token, id, answer)
	case errors.Is(err, http1.ErrBodyTooLong):
		return nil, malformed(token, id, err)
	case err != nil:
		return nil, truncated(token, id, err)
	}
	job, err := decodeJob(answer.Body, func(field, value string) {
		c.unrecognized.report(field, loggable(value, token, id))
	})
	if err != nil {
		return nil, malformed(token, id, err)
	}
	return job, nil
}
