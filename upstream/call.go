package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// maxBody bounds an answer, in bytes after decompression. A documented job has 700.
const maxBody = 1 << 20

// call makes one HTTP request and reads its answer.
func (c *Client) call(ctx context.Context, token, id string) (*Job, *Error) {
	ctx, cancel := context.WithTimeout(ctx, c.attempt)
	defer cancel()
	status, header, body, err := c.get(ctx, "v=1&api_token="+token+"&job_id="+id)
	switch {
	case status == 0:
		return nil, unreachable(token, id, err)
	case err != nil && timedOut(err) && status < 500:
		return nil, tooSlow(token, id, err)
	case status != http.StatusOK:
		return nil, refusal(token, id, status, header, body)
	case errors.Is(err, errTooLong):
		return nil, malformed(token, id, err)
	case err != nil:
		return nil, cut(token, id, err)
	}
	job, err := decodeJob(body, func(field, value string) {
		c.unrecognized.report(field, scrub(value, token, id))
	})
	if err != nil {
		return nil, malformed(token, id, err)
	}
	return job, nil
}

var errTooLong = errors.New("the body has more than 1 MiB")

// get returns the answer's status, 0 where there was none, its header and body.
// The error tells of a missing answer or of a body that is cut or too long.
//
// It speaks to the transport itself: an http.Client would follow redirects and
// put the whole URL, token included, into its errors.
func (c *Client) get(ctx context.Context, query string) (status int, header http.Header, body []byte, err error) {
	address := c.endpoint
	address.RawQuery = query
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return 0, nil, nil, errors.New("the request could not be built")
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "jobgraph")
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return 0, nil, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if len(body) > maxBody {
		return response.StatusCode, response.Header, nil, errTooLong
	}
	return response.StatusCode, response.Header, body, err
}
