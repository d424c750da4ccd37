package account

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"jobgraph/upstream"
	"jobgraph/upstream/secret"
)

const (
	// maxRest is how long a token rests before it is used for its own sake: upstream's die
	// after an hour.
	maxRest = 50 * time.Minute
	// checkEvery is the time between two looks at the secrets and at how long a token rests.
	checkEvery = 5 * time.Second
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

// renewalJobID is asked for where a token is to be used: whatever the answer, it was.
const renewalJobID = "00000000000000000000000000000000"

// Config is an account of the job API: a user name and what it logs in with, or a token.
type Config struct {
	// Name is what the log calls the account.
	Name     string
	Username string
	// Lazy has it log in when it is asked for first, not at once.
	Lazy bool
	// One of these is set.
	SecureKey, Password, Token *secret.Text
}

// Account is kept logged in. Everything of it in caches, breakers and queues is under its
// handle's key, which stays while tokens come and go.
//
// Invariants, whenever mu is free:
//   - attempt is set exactly while a login is under way, of which there is one at most.
//   - Where there is neither token nor attempt, failed says why, once a login has begun.
//   - A token that upstream refused is never token again.
type Account struct {
	config Config
	set    *Accounts
	handle string
	key    upstream.TokenKey
	logins *rate.Limiter
	ctx    context.Context
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu       sync.Mutex
	token    string    // "": there is none
	works    bool      // upstream has taken token since its login
	began    time.Time // when token came
	used     time.Time
	seen     string // the secret that was used last
	attempt  chan struct{}
	failed   *upstream.Error // why the last login failed; nil: it did not
	failures int
	next     time.Time // no login begins before
}

func newAccount(config Config, set *Accounts) *Account {
	var random [32]byte
	_, _ = rand.Read(random[:]) // it never fails: see crypto/rand
	handle := hex.EncodeToString(random[:])
	a := &Account{config: config, set: set, handle: handle, key: upstream.KeyOf(handle), seen: config.secret().Get(),
		logins: rate.NewLimiter(rate.Every(loginEvery), loginBurst)}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a
}

func (c Config) secret() *secret.Text { return cmp.Or(c.SecureKey, c.Password, c.Token) }

// Handle stands for the account's token in a request. It has a token's form, never leaves
// this process, and nobody can guess it.
func (a *Account) Handle() string { return a.handle }

func (a *Account) start() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.config.Token != nil {
		a.token, a.works, a.used = a.seen, true, time.Now()
	} else if !a.config.Lazy {
		a.begin()
	}
	a.ended.Go(a.keep)
}

func (a *Account) close() {
	a.mu.Lock()
	a.cancel() // no login begins any more
	a.mu.Unlock()
	a.ended.Wait()
}

// acquire gives the token, and waits so long at most for a login under way, or begins one.
// The error is an [*upstream.Error], or ctx's own.
func (a *Account) acquire(ctx context.Context, longest time.Duration) (string, error) {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	for {
		token, attempt, failed := a.current()
		switch {
		case failed != nil:
			return "", failed
		case attempt == nil:
			return token, nil
		}
		select {
		case <-attempt:
		case <-ctx.Done():
			return "", ctx.Err()
		case <-timer.C:
			return "", &upstream.Error{Type: upstream.Timeout, Comment: "This server's login at the job API takes long. Ask again in a moment."}
		}
	}
}

// current is the token, the login to wait for, or why there is neither.
func (a *Account) current() (token string, attempt <-chan struct{}, failed error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token != "" {
		a.used = time.Now()
		return a.token, nil, nil
	}
	if a.attempt == nil && time.Until(a.next) <= 0 {
		a.begin()
	}
	if a.attempt != nil {
		return "", a.attempt, nil
	}
	e := *a.failed
	e.RetryAfter = max(time.Until(a.next), time.Second)
	return "", nil, &e
}

// confirm notes that upstream has answered a call with the token as one who is logged in.
func (a *Account) confirm(token string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if failed := upstream.ErrorOf(err); token == a.token && (err == nil || failed != nil && failed.UpstreamType != nil) {
		if a.failed != nil {
			a.set.opts.Logger.Info("logged in at the job API again", "account", a.config.Name)
		}
		a.works, a.failures, a.failed = true, 0, nil
	}
}

// discard is for a token that upstream has refused. It says whether there is, or will be,
// another one to try. A fresh token that was never taken is no better than a login that
// failed; one that has rested may just have died.
func (a *Account) discard(token string) bool {
	a.reread()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token != token {
		return true
	}
	if a.config.Token != nil {
		return false
	}
	a.token = ""
	if !a.works && time.Since(a.began) < fresh {
		a.fail(&upstream.Error{Type: upstream.BadAPIToken,
			Comment: "The job API does not accept the token that it has just given this server. Ask again later."})
	}
	return true
}

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
	credentials := upstream.Credentials{Username: a.config.Username}
	if a.config.SecureKey != nil {
		credentials.SecureKey = a.config.SecureKey.Get()
	} else {
		credentials.Password = a.config.Password.Get()
	}
	return a.set.login(a.ctx, credentials)
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

// keep looks after the account until it is closed.
func (a *Account) keep() {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			a.reread()
			a.retry()
			a.renew()
		case <-a.ctx.Done():
			return
		}
	}
}

// reread takes over a secret that has changed: a token at once; with anything else the
// account logs in anew, and its token stays until that has given another one.
func (a *Account) reread() {
	current := a.config.secret().Get()
	a.mu.Lock()
	changed := current != a.seen
	if changed {
		a.seen, a.failures, a.next = current, 0, time.Time{}
		a.set.opts.Logger.Info("the account's secret has changed", "account", a.config.Name)
		switch {
		case a.config.Token != nil:
			a.token = current
		case a.attempt == nil && (a.token != "" || a.failed != nil):
			a.begin()
		}
	}
	a.mu.Unlock()
	if changed && a.config.Token != nil {
		a.set.opts.Changed(a.key)
	}
}

// retry logs in before anybody asks, where the last login failed for the job API's sake. One
// that was refused waits for a caller.
func (a *Account) retry() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token == "" && a.attempt == nil && a.failed != nil && a.failed.Retryable() && time.Until(a.next) <= 0 {
		a.begin()
	}
}

// renew uses a token that has rested for long, so that it does not die. Where the job API
// is down, it is tried again in a minute.
func (a *Account) renew() {
	a.mu.Lock()
	rested := a.token != "" && time.Since(a.used) >= maxRest
	if rested {
		a.used = time.Now().Add(time.Minute - maxRest)
	}
	a.mu.Unlock()
	if !rested {
		return
	}
	request := upstream.Request{Token: a.handle, Key: upstream.Key{Token: a.key, ID: renewalJobID}}
	if _, err := a.set.Job(a.ctx, request); err != nil && upstream.ErrorOf(err) != nil && upstream.ErrorOf(err).Retryable() {
		a.mu.Lock()
		a.used = time.Now().Add(time.Minute - maxRest)
		a.mu.Unlock()
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
