package account

import (
	mathrand "math/rand/v2"
	"time"

	"jobgraph/upstream"
)

const (
	// A login that was refused is tried again after minBackoff, then twice as long each
	// time up to maxBackoff: an account could be locked. One that failed otherwise harms
	// nobody: the job API is back soon, or its own policies say when.
	minBackoff     = time.Second
	maxBackoff     = 5 * time.Minute
	maxDownBackoff = 30 * time.Second
	// fresh is how long a token is that is to be taken at its first use.
	fresh = time.Second
	// Whatever happens, such as two servers whose logins end each other's, logins come one
	// in loginEvery, and loginBurst in a row.
	loginEvery = 10 * time.Second
	loginBurst = 10
)

// errClosed is of logins that the end of the process has not let begin.
var errClosed = &upstream.Error{Type: upstream.Unavailable, Comment: "This server is being restarted. Ask again in a moment."}

// begin starts a login, or says in failed and next why none begins. mu is held, and none is
// under way.
func (a *Account) begin() {
	if a.ctx.Err() != nil {
		a.failed = errClosed
		return
	}
	if r := a.logins.Reserve(); r.Delay() > 0 {
		wait := r.Delay()
		r.Cancel()
		a.failed = &upstream.Error{Type: upstream.Unavailable,
			Comment: "This server has logged in at the job API too often lately. Ask again after retryAfterSeconds."}
		a.next = time.Now().Add(wait)
		return
	}
	done := make(chan struct{})
	a.attempt = done
	a.ended.Go(func() {
		token, err := a.logIn()
		a.complete(token, err)
		close(done)
	})
}

func (a *Account) logIn() (string, error) {
	return a.set.login(a.ctx, a.config.Credentials())
}

func (a *Account) complete(token string, err error) {
	if a.ctx.Err() == nil {
		a.set.opts.ObserveLogin(outcome(err))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.attempt = nil
	switch {
	case err == nil:
		a.token, a.works, a.began, a.used = token, false, time.Now(), time.Now()
	case a.ctx.Err() == nil:
		failed := upstream.ErrorOf(err)
		if failed == nil {
			failed = &upstream.Error{Type: upstream.Unavailable, Comment: "This server's login at the job API failed. Ask again in a moment."}
		}
		a.fail(failed)
	default:
		a.failed = errClosed
	}
}

// fail says when the next login may begin. mu is held.
func (a *Account) fail(e *upstream.Error) {
	longest := maxBackoff
	if e.Retryable() {
		longest = maxDownBackoff
	}
	wait := min(minBackoff<<min(a.failures, 16), longest)
	wait = max(wait+mathrand.N(wait/8), e.RetryAfter)
	if a.failed == nil || a.failed.Type != e.Type {
		a.log(e)
	}
	a.failures++
	a.failed, a.next = e, time.Now().Add(min(wait, maxBackoff))
}

// log writes one line for all failures of a kind in a row.
func (a *Account) log(e *upstream.Error) {
	attrs := []any{"account", a.config.Name, "type", string(e.Type), "status", e.Status}
	if cause := e.Unwrap(); cause != nil {
		attrs = append(attrs, "cause", cause.Error())
	}
	switch e.Type {
	case upstream.LoginInvalid:
		a.set.opts.Logger.Error("the job API refuses the account's credentials: check its user name, and its secure key or password; logins are tried again, up to 5 minutes apart", attrs...)
	case upstream.BadAPIToken:
		a.set.opts.Logger.Error("the job API refuses the token that it has just given for the account; logins are tried again, up to 5 minutes apart", attrs...)
	default:
		a.set.opts.Logger.Warn("the login at the job API failed and is tried again", attrs...)
	}
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "OK"
	case upstream.TypeOf(err) != "":
		return string(upstream.TypeOf(err))
	default:
		return string(upstream.Unavailable)
	}
}
