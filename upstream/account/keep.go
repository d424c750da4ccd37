package account

import (
	"time"

	"jobgraph/upstream"
)

const (
	// maxRest is how long a token rests before it is used for its own sake: upstream's die
	// after an hour.
	maxRest = 50 * time.Minute
	// checkEvery is the time between two looks at the secrets and at how long a token rests.
	checkEvery = 5 * time.Second
)

// renewalJobID is asked for where a token is to be used: whatever the answer, it was.
const renewalJobID = "00000000000000000000000000000000"

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
