package upstream

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"time"

	"jobgraph/upstream/keyedhash"
)

// minWaiting is how many calls may wait for a turn at least: ten operations of 100 ids.
const minWaiting = 1000

// Options are a Client's settings; a zero field means its default.
type Options struct {
	// Timeout bounds one call of [Client.Job], waits and retries included; 10 s.
	Timeout time.Duration
	// AttemptTimeout bounds one HTTP request of it; all that is left of Timeout. That is
	// half of it at least: no call waits longer for its turn.
	AttemptTimeout time.Duration
	// Concurrency bounds the calls under way in the whole process; 256. One token
	// has about four fifths of them at most.
	Concurrency int
	// RootCAs are who may sign upstream's certificate; nil: the system's.
	RootCAs *x509.CertPool
	// UseProxy obeys HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Without it they are
	// ignored: an environment must not be able to divert tokens unseen.
	UseProxy bool
	// Version is what the User-Agent tells upstream after "jobgraph/"; "": nothing.
	Version string
	// Logger hears of upstream's failures, of the circuit breaker, and of what upstream
	// does against its documentation; nil: nobody.
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
	// Retried is told of each second attempt of a call.
	Retried()
	// Coalesced is told of each caller who joined another's call.
	Coalesced()
	// Refused is told of each call that ended without asking upstream: reason is
	// "BUSY", "BREAKER_OPEN" or "RATE_LIMITED".
	Refused(reason string)
	// BreakerChanged is told when the circuit breaker opens and closes for all.
	BreakerChanged(open bool)
	// TokenBreakersOpen is told for how many tokens it is open, at each change.
	TokenBreakersOpen(tokens int)
	// UnrecognizedValue is told of each occurrence; field is upstream's name for it.
	UnrecognizedValue(field string)
}

// Client asks the job API for jobs. It is safe for concurrent use.
type Client struct {
	endpoint     getter
	timeout      time.Duration
	attempt      time.Duration
	keys         *keyedhash.Hasher
	flights      *flights
	limits       *rateLimits
	breaker      *breaker
	failures     *failureLog
	slots        *fairQueue
	budget       *retryBudget
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
	case base.Scheme != "http" && base.Scheme != "https", base.Hostname() == "", !isPort(base.Port()):
		return nil, errors.New("the upstream URL must be like https://api.cielo24.com")
	case base.User != nil, base.RawQuery != "", base.Fragment != "":
		return nil, errors.New("the upstream URL must hold no user, query or fragment")
	}
	concurrency := cmp.Or(opts.Concurrency, 256)
	observer := cmp.Or[Observer](opts.Observer, nobody{})
	timeout := cmp.Or(opts.Timeout, 10*time.Second)
	failures := newFailureLog(opts.Logger)
	return &Client{
		endpoint:     newGetter(base.JoinPath("api/job/info"), concurrency, opts),
		timeout:      timeout,
		attempt:      min(timeout, cmp.Or(opts.AttemptTimeout, timeout)),
		keys:         keyedhash.New(),
		flights:      newFlights(),
		limits:       newRateLimits(),
		breaker:      newBreaker(observer, failures, concurrency),
		failures:     failures,
		slots:        newFairQueue(concurrency, max(minWaiting, 4*concurrency)),
		budget:       newRetryBudget(),
		observer:     observer,
		unrecognized: newUnrecognizedLog(opts.Logger, observer),
	}, nil
}

// isPort says whether an address may have the port; "" is the scheme's own.
func isPort(port string) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && number > 0
}

// Close stops the calls under way and drops the connections.
func (c *Client) Close() {
	c.flights.close()
	c.endpoint.Close()
}

// Job asks for the job with the id, as the caller that the token belongs to.
// The error is an [*Error], or wraps ctx's own where ctx ended first.
func (c *Client) Job(ctx context.Context, token, id string) (*Job, error) {
	// What cannot be a token or an id never leaves the process.
	if err := check(token, id); err != nil {
		return nil, err
	}
	// Callers who want the same at the same time share one call, which does not
	// end with the first of them but with the last.
	key := flightKey{c.keys.Sum(token), id}
	job, joined, err := c.flights.do(ctx, key, func(ctx context.Context) (*Job, error) {
		return c.observed(ctx, key.token, token, id)
	})
	if joined {
		c.observer.Coalesced()
	}
	var failed *Error
	if err == nil || errors.As(err, &failed) {
		return job, err
	}
	return nil, fmt.Errorf("get job %s: %w", id, err)
}

func (c *Client) observed(ctx context.Context, key tokenKey, token, id string) (job *Job, err error) {
	started := time.Now()
	c.observer.CallStarted()
	defer func() {
		if value := recover(); value != nil {
			err = newPanicError(value, token, id)
		}
		c.observer.CallDone(outcome(err), time.Since(started))
	}()
	return c.guarded(ctx, key, token, id)
}

// guarded asks upstream under the policies, in this order:
func (c *Client) guarded(ctx context.Context, key tokenKey, token, id string) (*Job, error) {
	// A deadline for everything that follows.
	deadline := time.Now().Add(c.timeout)
	// A token that upstream told to wait does not ask: it would only be told again.
	if wait := c.limits.remaining(key); wait > 0 {
		c.observer.Refused("RATE_LIMITED")
		return nil, rateLimited(token, id, wait)
	}
	// A failing upstream is left alone. This is looked at before the wait for a
	// turn, so that an outage is told at once, and again at each attempt.
	if wait := c.breaker.remaining(key); wait > 0 {
		c.observer.Refused("BREAKER_OPEN")
		return nil, leftAlone(token, id, wait)
	}
	// No more calls under way than upstream and this process can take; tokens take
	// turns, and a token's operations do.
	turn, err := c.turn(ctx, key, token, id)
	if err != nil {
		return nil, err
	}
	defer c.slots.release(turn)
	// One more attempt where it may well help, within the budget. It keeps the turn.
	c.budget.earn()
	job, failed := c.tried(ctx, deadline, key, token, id)
	if failed != nil && failed.transient && ctx.Err() == nil && c.budget.spend() &&
		pause(ctx, deadline, c.attempt) && c.breaker.remaining(key) == 0 {
		c.observer.Retried()
		job, failed = c.tried(ctx, deadline, key, token, id)
	}
	switch {
	case failed == nil:
		return job, nil
	case ctx.Err() != nil:
		return nil, ctx.Err() // by the last caller's leaving
	}
	c.limits.limit(key, limitOf(failed))
	return nil, failed
}

// turn waits for a slot, half of the call's time at most: what is left is for the call.
func (c *Client) turn(ctx context.Context, key tokenKey, token, id string) (*tenant, error) {
	turn, err := c.slots.acquire(ctx, key, c.timeout/2)
	switch {
	case err == nil:
		return turn, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	c.observer.Refused("BUSY")
	return nil, busy(token, id)
}

// tried is one attempt that the circuit breaker lets through and learns from. A
// caller's leaving teaches it nothing.
func (c *Client) tried(ctx context.Context, deadline time.Time, key tokenKey, token, id string) (*Job, *Error) {
	permit, wait := c.breaker.admit(key)
	if wait > 0 {
		c.observer.Refused("BREAKER_OPEN")
		return nil, leftAlone(token, id, wait)
	}
	became := resultCancelled
	defer func() { c.breaker.record(permit, became) }() // a panic gives it back, too
	if own := time.Now().Add(c.attempt); own.Before(deadline) {
		deadline = own
	}
	job, err := c.call(ctx, deadline, token, id)
	if ctx.Err() != nil {
		return job, err
	}
	became = resultOf(err)
	if err != nil {
		c.failures.failed(err)
	}
	return job, err
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
func (nobody) Retried()                       {}
func (nobody) Coalesced()                     {}
func (nobody) Refused(string)                 {}
func (nobody) BreakerChanged(bool)            {}
func (nobody) TokenBreakersOpen(int)          {}
func (nobody) UnrecognizedValue(string)       {}
