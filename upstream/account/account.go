package account

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"jobgraph/upstream"
	"jobgraph/upstream/secret"
)

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

// Credentials are what an account that has no token logs in with, as its secret is now.
func (c Config) Credentials() upstream.Credentials {
	credentials := upstream.Credentials{Username: c.Username}
	if c.SecureKey != nil {
		credentials.SecureKey = c.SecureKey.Get()
	} else {
		credentials.Password = c.Password.Get()
	}
	return credentials
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
