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

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"

	"jobgraph/upstream/policy"
)

// minWaiting is how many calls may wait for a turn at least: ten operations of 100 ids.
const minWaiting = 1000

// Options are a Client's settings; a zero field means its default.
type Options struct {
	// Timeout bounds one call of [Client.Job] or [Client.List], waits and retries included; 10 s.
	Timeout time.Duration
	// AttemptTimeout bounds one HTTP request of it; all that is left of Timeout. That is
	// half of it at least: no call waits longer for its turn.
	AttemptTimeout time.Duration
	// Concurrency bounds the calls under way in the whole process; 256. One token
	// has about four fifths of them at most.
	Concurrency int
	// RootCAs are who may sign upstream's certificate; nil: the system's.
	RootCAs *x509.CertPool
	// UseProxy uses HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Without it they are
	// ignored: an environment must not be able to divert tokens unseen.
	UseProxy bool
	// Version is what the User-Agent tells upstream after "jobgraph/"; "": nothing.
	Version string
	// Logger hears of upstream's failures, of the circuit breaker, and of what upstream
	// does against its documentation; nil: nobody.
	Logger *slog.Logger
	// Tracer makes a span for each request of the job API, logins too, which is told the trace; nil: none.
	Tracer trace.Tracer
	// Observer hears of every call; nil: nobody.
	Observer Observer
	// Pauses are shared with other processes; nil: there are none.
	Pauses Pauses
}

// Observer is told what a Client does, for metrics. Its methods are called from
// many goroutines. No argument holds a token, an id or a URL.
type Observer interface {
	CallStarted()
	// CallDone follows CallStarted: outcome is "OK", "CANCELLED" or an ErrorType.
	CallDone(outcome string, took time.Duration)
	// Retried is told of each second attempt of a call.
	Retried()
	// Refused is told of each call that ended without asking upstream: reason is
	// "BUSY", "BREAKER_OPEN" or "RATE_LIMITED".
	Refused(reason string)
	policy.BreakerObserver
	// MalformedJobs is told of jobs that a list was left without.
	MalformedJobs(jobs int)
	// UnrecognizedValue is told of each occurrence; field is upstream's name for it.
	UnrecognizedValue(field string)
}

// Client asks the job API for jobs and for lists of them. It is safe for concurrent use.
type Client struct {
	info           getter
	list           streamer
	login          *loginEndpoint
	timeout        time.Duration
	attemptTimeout time.Duration
	limits         *policy.RateLimits
	pauses         Pauses
	breaker        *policy.Breaker
	failures       *policy.FailureLog
	slots          *policy.FairQueue
	budget         *policy.RetryBudget
	large          *semaphore.Weighted
	largeLists     *semaphore.Weighted
	observer       Observer
	tracing        *tracing
	unrecognized   *unrecognizedLog
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
	failures := policy.NewFailureLog(opts.Logger)
	tracing := newTracing(opts.Tracer, base)
	return &Client{
		info:           newGetter(base.JoinPath("api/job/info"), concurrency, maxBody, false, tracing, opts),
		list:           newGetter(base.JoinPath("api/job/list"), min(concurrency, maxIdleLists), maxListBody, true, tracing, opts),
		login:          newLoginEndpoint(base.JoinPath("api/account/login"), tracing, opts),
		timeout:        timeout,
		attemptTimeout: min(timeout, cmp.Or(opts.AttemptTimeout, timeout)),
		limits:         policy.NewRateLimits(),
		pauses:         cmp.Or[Pauses](opts.Pauses, noPauses{}),
		breaker:        policy.NewBreaker(observer, failures, concurrency),
		failures:       failures,
		slots:          policy.NewFairQueue(concurrency, max(minWaiting, 4*concurrency)),
		budget:         policy.NewRetryBudget(),
		large:          semaphore.NewWeighted(maxLarge),
		largeLists:     semaphore.NewWeighted(maxLargeLists),
		observer:       observer,
		tracing:        tracing,
		unrecognized:   newUnrecognizedLog(opts.Logger, observer),
	}, nil
}

// Slots are those of calls under way: as many as Options.Concurrency, until they are resized.
func (c *Client) Slots() *policy.FairQueue { return c.slots }

// RetriesLeft is how many retries the budget has at this moment.
func (c *Client) RetriesLeft() float64 { return c.budget.Left() }

// isPort says whether an address may have the port; "" is the scheme's own.
func isPort(port string) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && number > 0
}

// Close drops the idle connections. Calls under way end with their contexts.
func (c *Client) Close() {
	c.info.Close()
	c.list.Close()
	c.login.transport.CloseIdleConnections()
}

// Job makes one call for the request. The error is an [*Error], or wraps ctx's own where
// ctx ended first.
func (c *Client) Job(ctx context.Context, r Request) (*EncodedJob, error) {
	// What cannot be a token or an id never leaves the process.
	if err := r.Check(); err != nil {
		return nil, err
	}
	var job *EncodedJob
	err := c.instrumented(ctx, r, "GET /api/job/info", func(ctx context.Context, deadline time.Time) (failed *Error) {
		job, failed = c.getJob(ctx, deadline, r.Token, r.Key.ID)
		return failed
	})
	switch {
	case err == nil:
		return job, nil
	case ErrorOf(err) != nil:
		return nil, err
	}
	return nil, fmt.Errorf("get job %s: %w", r.Key.ID, err)
}

// httpCall is one HTTP request and what becomes of its answer. It may be made twice.
type httpCall func(ctx context.Context, deadline time.Time) *Error

func (c *Client) instrumented(ctx context.Context, r Request, name string, call httpCall) (err error) {
	started := time.Now()
	c.observer.CallStarted()
	defer func() {
		if value := recover(); value != nil {
			err = PanicError(value)
		}
		c.observer.CallDone(outcome(err), time.Since(started))
	}()
	return c.callWithPolicies(ctx, r, name, call)
}

// callWithPolicies asks upstream under the policies, in this order:
func (c *Client) callWithPolicies(ctx context.Context, r Request, name string, call httpCall) error {
	key, token, id := r.Key.Token, r.Token, r.Key.ID
	// A deadline for everything that follows.
	deadline := time.Now().Add(c.timeout)
	if !r.Deadline.IsZero() && r.Deadline.Before(deadline) {
		deadline = r.Deadline
	}
	// A token that upstream told to wait does not ask: it would only be told again.
	if wait := max(c.limits.Remaining(key), c.pauses.Remaining(r)); wait > 0 {
		c.observer.Refused("RATE_LIMITED")
		return rateLimited(token, id, wait)
	}
	// A failing upstream is left alone. This is looked at before the wait for a
	// turn, so that an outage is told at once, and again at each attempt.
	if wait := c.breaker.Remaining(key); wait > 0 {
		c.observer.Refused("BREAKER_OPEN")
		return breakerOpen(token, id, wait)
	}
	// No more calls under way than upstream and this process can take; tokens take
	// turns, and a token's operations do.
	turn, err := c.acquireSlot(ctx, r)
	if err != nil {
		return err
	}
	defer c.slots.Release(turn, 1)
	// One more attempt where it may well help, within the budget. It keeps the turn.
	c.budget.Deposit()
	failed := c.attempt(ctx, deadline, r, name, 0, call)
	if failed != nil && failed.transient && ctx.Err() == nil && c.budget.Withdraw() &&
		policy.Pause(ctx, deadline, c.attemptTimeout) && c.breaker.Remaining(key) == 0 {
		c.observer.Retried()
		failed = c.attempt(ctx, deadline, r, name, 1, call)
	}
	switch {
	case failed == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err() // by the last caller's leaving
	}
	c.limit(r, limitOf(failed))
	return failed
}

// acquireSlot waits for a slot, half of the call's time at most: what is left is for the call.
func (c *Client) acquireSlot(ctx context.Context, r Request) (*policy.Tenant, error) {
	turn, err := c.slots.Acquire(ctx, r.Key.Token, r.Operation, 1, c.timeout/2)
	switch {
	case err == nil:
		return turn, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	c.observer.Refused("BUSY")
	return nil, busy(r.Token, r.Key.ID)
}

// attempt is one that the circuit breaker lets through and learns from. A
// caller's leaving teaches it nothing.
func (c *Client) attempt(ctx context.Context, deadline time.Time, r Request, name string, retry int, call httpCall) *Error {
	permit, wait := c.breaker.Admit(r.Key.Token)
	if wait > 0 {
		c.observer.Refused("BREAKER_OPEN")
		return breakerOpen(r.Token, r.Key.ID, wait)
	}
	became := policy.Cancelled
	defer func() { c.breaker.Record(permit, became) }() // a panic gives it back, too
	if own := time.Now().Add(c.attemptTimeout); own.Before(deadline) {
		deadline = own
	}
	r.Tally.called(retry)
	spanCtx, end := c.tracing.attempt(ctx, name, retry)
	err := call(spanCtx, deadline)
	end(err)
	if ctx.Err() != nil {
		return err
	}
	became = resultOf(err)
	if err != nil {
		c.logFailure(err)
	}
	return err
}

// logFailure is for what upstream failed: what it refused is no failure.
func (c *Client) logFailure(e *Error) {
	if e.Retryable() {
		c.failures.Failed(string(e.Type), e.Status, e.cause)
	}
}

// resultOf is the error's, nil being good. What upstream refused is good: it answers.
func resultOf(e *Error) policy.Result {
	switch {
	case e == nil || !e.fault:
		return policy.Good
	case e.Type == Timeout:
		return policy.TimedOut
	case e.Type == Malformed:
		return policy.Malformed
	default:
		return policy.Unavailable
	}
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "OK"
	case TypeOf(err) != "":
		return string(TypeOf(err))
	default:
		return "CANCELLED"
	}
}

type nobody struct{}

func (nobody) CallStarted()                   {}
func (nobody) CallDone(string, time.Duration) {}
func (nobody) Retried()                       {}
func (nobody) Refused(string)                 {}
func (nobody) BreakerChanged(bool)            {}
func (nobody) TokenBreakersOpen(int)          {}
func (nobody) MalformedJobs(int)              {}
func (nobody) UnrecognizedValue(string)       {}
