package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// maxBody bounds an answer, in bytes after decompression. A documented job has 700.
const maxBody = 1 << 20

// Options are a Client's settings; a zero field means its default.
type Options struct {
	// Timeout bounds one call of [Client.Job], all of its waits included; 10 s.
	Timeout time.Duration
	// Concurrency bounds the calls under way in the whole process; 256.
	Concurrency int
	// UseProxy obeys HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Without it they are
	// ignored: an environment must not be able to divert tokens unseen.
	UseProxy bool
	// Logger hears of what upstream does against its documentation; nil: nobody.
	Logger *slog.Logger
	// Observer hears of every call; nil: nobody.
	Observer Observer
}

// Observer is told what a Client does, for metrics. Its methods are called from
// many goroutines. No argument holds a token, an id or a URL.
type Observer interface {
	CallStarted()
	// CallDone follows CallStarted: outcome is "OK", "CANCELLED" or an ErrorType.
	CallDone(outcome string, took time.Duration)
	// UnrecognizedValue is told of each occurrence; field is upstream's name for it.
	UnrecognizedValue(field string)
}

// Client asks the job API for jobs. It is safe for concurrent use.
type Client struct {
	endpoint     url.URL
	transport    http.RoundTripper
	timeout      time.Duration
	slots        chan struct{} // one taken by each call under way
	observer     Observer
	unrecognized *unrecognizedLog
}

// New returns a client of the job API at baseURL, such as https://api.cielo24.com.
func New(baseURL string, opts Options) (*Client, error) {
	base, err := url.Parse(baseURL)
	switch {
	case err != nil:
		// The parse error would repeat the address, credentials and all.
		return nil, errors.New("the upstream URL is not a URL")
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return nil, errors.New("the upstream URL must be like https://api.cielo24.com")
	case base.User != nil, base.RawQuery != "", base.Fragment != "":
		return nil, errors.New("the upstream URL must hold no user, query or fragment")
	}
	concurrency := cmp.Or(opts.Concurrency, 256)
	observer := cmp.Or[Observer](opts.Observer, nobody{})
	return &Client{
		endpoint:     *base.JoinPath("api/job/info"),
		transport:    newTransport(concurrency, opts.UseProxy),
		timeout:      cmp.Or(opts.Timeout, 10*time.Second),
		slots:        make(chan struct{}, concurrency),
		observer:     observer,
		unrecognized: newUnrecognizedLog(opts.Logger, observer),
	}, nil
}

// Close drops the idle connections.
func (c *Client) Close() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Job asks for the job with the id, as the caller that the token belongs to.
// The error is an [*Error], or wraps ctx's own where ctx ended first.
func (c *Client) Job(ctx context.Context, token, id string) (*Job, error) {
	if err := check(token, id); err != nil {
		return nil, err
	}
	started := time.Now()
	c.observer.CallStarted()
	job, err := c.job(ctx, token, id)
	c.observer.CallDone(outcome(err), time.Since(started))
	return job, err
}

func (c *Client) job(caller context.Context, token, id string) (*Job, error) {
	ctx, cancel := context.WithTimeout(caller, c.timeout)
	defer cancel()
	job, err := c.call(ctx, token, id)
	switch {
	case err == nil:
		return job, nil
	case caller.Err() != nil:
		return nil, fmt.Errorf("get job %s: %w", id, context.Cause(caller))
	case ctx.Err() != nil:
		return nil, failure(token, id, Timeout, "The job API did not answer in time. Ask again in a moment.", ctx.Err())
	}
	return nil, err
}

// call makes one HTTP request and reads its answer.
func (c *Client) call(ctx context.Context, token, id string) (*Job, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	status, body, err := c.get(ctx, "v=1&api_token="+token+"&job_id="+id)
	switch {
	case status == 0:
		return nil, failure(token, id, Unavailable, "The job API cannot be reached. Ask again in a moment.", err)
	case status != http.StatusOK:
		return nil, refusal(token, id, status, body)
	case err != nil:
		return nil, malformed(token, id, err)
	}
	job, err := decodeJob(body, func(field, value string) {
		c.unrecognized.report(field, scrub(value, token, id))
	})
	if err != nil {
		return nil, malformed(token, id, err)
	}
	return job, nil
}

// get returns the answer's status, 0 where there was none, and its body.
// The error tells of a missing answer or of a body that is cut or too long.
//
// It speaks to the transport itself: an http.Client would follow redirects and
// put the whole URL, token included, into its errors.
func (c *Client) get(ctx context.Context, query string) (status int, body []byte, err error) {
	address := c.endpoint
	address.RawQuery = query
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return 0, nil, errors.New("the request could not be built")
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "jobgraph")
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if len(body) > maxBody {
		return response.StatusCode, nil, errors.New("the body has more than 1 MiB")
	}
	return response.StatusCode, body, err
}

func outcome(err error) string {
	var failed *Error
	switch {
	case err == nil:
		return "OK"
	case errors.As(err, &failed):
		return string(failed.Type)
	default:
		return "CANCELLED"
	}
}

type nobody struct{}

func (nobody) CallStarted()                   {}
func (nobody) CallDone(string, time.Duration) {}
func (nobody) UnrecognizedValue(string)       {}
