// Package account keeps accounts of the job API logged in. [Accounts] stands between the
// store and the client: a request of an account carries a handle where others carry a
// token, and leaves with the token that the account has at that moment.
package account

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"jobgraph/upstream"
)

// Options are the settings of Accounts; a zero field means its default.
type Options struct {
	// Timeout bounds one request, login and repetition included; 10 s.
	Timeout time.Duration
	// Logger hears of refused and failed logins, and of changed secrets; nil: nobody.
	Logger *slog.Logger
	// ObserveLogin is told of each login: outcome is "OK" or an ErrorType; nil: nobody is.
	ObserveLogin func(outcome string)
	// Changed is told that the key's account may be another one from now on: its secret
	// file has another token in it; nil: nobody is.
	Changed func(upstream.TokenKey)
}

// API is the job API. [*upstream.Client] is one.
type API interface {
	upstream.Source
	upstream.Lister
}

// Login logs in once. [upstream.Client.Login] is one.
type Login func(ctx context.Context, credentials upstream.Credentials) (token string, err error)

// Accounts are the accounts by their handles, before a source, and a source themselves.
// Requests of no account pass as they are. It is safe for concurrent use.
type Accounts struct {
	jobs  API
	login Login
	opts  Options

	mu    sync.RWMutex
	byKey map[upstream.TokenKey]*Account
}

// New returns no accounts yet, before the source. Close it after use.
func New(jobs API, login Login, opts Options) *Accounts {
	opts.Timeout = cmp.Or(opts.Timeout, 10*time.Second)
	opts.Logger = cmp.Or(opts.Logger, slog.New(slog.DiscardHandler))
	if opts.ObserveLogin == nil {
		opts.ObserveLogin = func(string) {}
	}
	if opts.Changed == nil {
		opts.Changed = func(upstream.TokenKey) {}
	}
	return &Accounts{jobs: jobs, login: login, opts: opts, byKey: map[upstream.TokenKey]*Account{}}
}

// Open begins to keep an account logged in, at once. It ends with [Accounts.Remove] or Close.
func (s *Accounts) Open(config Config) *Account {
	a := newAccount(config, s)
	s.mu.Lock()
	s.byKey[a.key] = a
	s.mu.Unlock()
	a.start()
	return a
}

// Remove ends an account: who still asks with its handle gets BAD_API_TOKEN.
func (s *Accounts) Remove(a *Account) {
	s.mu.Lock()
	s.byKey[a.key] = nil // a handle never leaves this process
	s.mu.Unlock()
	a.close()
	s.opts.Changed(a.key)
}

// Close ends all accounts, and waits for the logins under way.
func (s *Accounts) Close() {
	s.mu.Lock()
	all := s.byKey
	s.byKey = map[upstream.TokenKey]*Account{}
	s.mu.Unlock()
	for _, a := range all {
		if a != nil {
			a.close()
		}
	}
}

// Job asks for the job with the account's token.
func (s *Accounts) Job(ctx context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	return Call(ctx, s, r, s.jobs.Job)
}

// List asks for the list with the account's token.
func (s *Accounts) List(ctx context.Context, r upstream.ListRequest) (*upstream.List, error) {
	return Call(ctx, s, r.Request, func(ctx context.Context, own upstream.Request) (*upstream.List, error) {
		r.Request = own
		return s.jobs.List(ctx, r)
	})
}

// Identity tells the request's caller apart from all others, in all processes that have the
// same accounts: the token, or what its account logs in with, whatever its token is at the
// moment. It is a secret. Not ok: the account is not served any more.
func (s *Accounts) Identity(r upstream.Request) (identity []string, ok bool) {
	s.mu.RLock()
	account, known := s.byKey[r.Key.Token]
	s.mu.RUnlock()
	switch {
	case !known:
		return []string{"token", r.Token}, true
	case account == nil:
		return nil, false
	}
	return []string{"account", account.config.Username, account.config.secret().Get()}, true
}

// Call makes a call of the job API for the request, with the token of its account where it
// has one. Where the job API refuses that token the account logs in again, once for all
// who are refused, and each call is repeated once. The key stays the account's: caches,
// breakers and turns are the same from login to login.
func Call[T any](ctx context.Context, s *Accounts, r upstream.Request, call func(context.Context, upstream.Request) (T, error)) (result T, err error) {
	s.mu.RLock()
	account, known := s.byKey[r.Key.Token]
	s.mu.RUnlock()
	switch {
	case !known:
		return call(ctx, r)
	case account == nil:
		return result, &upstream.Error{Type: upstream.BadAPIToken, JobID: r.Key.ID,
			Comment: "This server does not serve the account any more."}
	}
	deadline := time.Now().Add(s.opts.Timeout)
	if r.Deadline.IsZero() || deadline.Before(r.Deadline) {
		r.Deadline = deadline
	}
	token, err := account.acquire(ctx, s.opts.Timeout/2)
	if err != nil {
		return result, forJob(err, r.Key.ID)
	}
	r.Token = token
	result, err = call(ctx, r)
	if failed := upstream.ErrorOf(err); failed == nil || !failed.RefusesToken() {
		account.confirm(token, err)
		return result, err
	}
	if !account.discard(token) {
		return result, err
	}
	if token, err = account.acquire(ctx, s.opts.Timeout/2); err != nil {
		return result, forJob(err, r.Key.ID)
	}
	r.Token = token
	result, err = call(ctx, r)
	if failed := upstream.ErrorOf(err); failed != nil && failed.RefusesToken() {
		account.discard(token)
	} else {
		account.confirm(token, err)
	}
	return result, err
}

// forJob is the error, as one of the job's.
func forJob(err error, id string) error {
	var failed *upstream.Error
	if !errors.As(err, &failed) {
		return err
	}
	own := *failed
	own.JobID = id
	return &own
}
