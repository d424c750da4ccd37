// Package identity says which account a caller is served with, by the JSON Web Token that
// an OpenID Connect provider has signed for it.
package identity

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"jobgraph/graph"
	"jobgraph/upstream/account"
)

// Options are the settings of Callers.
type Options struct {
	// Issuer is the provider, such as https://login.example.com/realms/captions.
	Issuer string
	// Audience is what a token must be for.
	Audience string
	// Leeway is how far the clocks may be apart.
	Leeway time.Duration
	// Tenants is the file that says whose account a caller is served with.
	Tenants string
	// Logger hears of a provider that is not reached, and of changed tenants; nil: nobody.
	Logger *slog.Logger
	// Client asks the provider; nil: one of this package's.
	Client *http.Client
}

// Callers authenticates callers. It is safe for concurrent use.
type Callers struct {
	verifier *verifier
	tenants  *tenants
	end      context.CancelFunc
	ended    sync.WaitGroup
}

// New opens an account for each tenant; the provider is asked as soon as it can be reached.
// The error is of the tenants' file. Close it after use.
func New(accounts *account.Accounts, opts Options) (*Callers, error) {
	opts.Logger = cmp.Or(opts.Logger, slog.New(slog.DiscardHandler))
	tenants, err := newTenants(accounts, opts)
	if err != nil {
		return nil, err
	}
	c := &Callers{verifier: newVerifier(opts), tenants: tenants}
	ctx, end := context.WithCancel(context.Background())
	c.end = end
	c.ended.Go(func() { c.verifier.keep(ctx) })
	c.ended.Go(func() { c.tenants.keep(ctx) })
	return c, nil
}

// Close ends what looks after the provider's keys and the tenants' file.
func (c *Callers) Close() {
	c.end()
	c.ended.Wait()
}

// Authenticate is [graph.Options.Authenticate]: the error is [graph.ErrNoVerifier], or may be
// shown.
func (c *Callers) Authenticate(ctx context.Context, bearer string) (graph.Identity, error) {
	claims, err := c.verifier.verify(ctx, bearer)
	if err != nil {
		return graph.Identity{}, err
	}
	handle, ok := c.tenants.handle(claims.values)
	if !ok {
		return graph.Identity{}, errNoTenant
	}
	return graph.Identity{Token: handle, Subject: claims.subject, Expires: claims.expires}, nil
}

var (
	errForeign  = errors.New("the token is not one that this server's identity provider has signed for it")
	errExpired  = errors.New("the token has expired")
	errEarly    = errors.New("the token is not valid yet")
	errNoTenant = errors.New("the token names no account that this server has")
)
