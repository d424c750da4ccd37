package identity

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"

	"jobgraph/graph"
	"jobgraph/graph/boundedcache"
	"jobgraph/upstream/keyedhash"
)

const (
	// maxToken bounds a token, in bytes.
	maxToken = 8 << 10
	// askTimeout bounds one request of the provider, and maxAnswer its answer.
	askTimeout = 5 * time.Second
	maxAnswer  = 1 << 20
	// discoverEvery is how old the provider's metadata and keys become: a key that it has
	// withdrawn is not accepted for longer, and one that is new is fetched when it is met.
	discoverEvery = 10 * time.Minute
	// Tokens with keys that nobody knows may have the keys fetched no more often.
	fetchEvery = 5 * time.Second
	fetchBurst = 3
	// verifiedFor is how long a token need not be verified again.
	verifiedFor = time.Minute
	// maxVerified bounds the memory of tokens that need not be, roughly.
	maxVerified = 4 << 20
)

// claims are what a token says that counts here.
type claims struct {
	subject string
	expires time.Time
	// values are all claims, by name.
	values map[string]json.RawMessage
	until  time.Time // the token need not be verified again
	bytes  int
}

// verifier verifies tokens by the provider's keys.
type verifier struct {
	opts     Options
	client   *http.Client // for its metadata: how often is the verifier's own
	keys     *http.Client // for its keys: how often is for callers to say
	keyless  atomic.Bool  // the last request for its keys failed
	fetches  *rate.Limiter
	failing  atomic.Bool // the last request of the provider failed, or was one too many
	hash     *keyedhash.Hasher
	verified *otter.Cache[keyedhash.Sum, *claims]

	mu sync.RWMutex
	// current is nil until the provider was reached. Where it has no keys yet and cannot
	// fetch them, previous has those before.
	current, previous *oidc.IDTokenVerifier
	// proven is the one that verified a token last, and so has keys; nil: none did.
	proven atomic.Pointer[oidc.IDTokenVerifier]
}

func newVerifier(opts Options) *verifier {
	v := &verifier{opts: opts, fetches: rate.NewLimiter(rate.Every(fetchEvery), fetchBurst), hash: keyedhash.New(),
		verified: boundedcache.New(maxVerified, func(_ keyedhash.Sum, c *claims) uint32 { return uint32(256 + c.bytes) })}
	client := http.Client{}
	if opts.Client != nil {
		client = *opts.Client
	}
	client.Timeout = askTimeout
	if client.Transport == nil {
		client.Transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	keys := client
	client.Transport = &bounded{client.Transport, v, nil}
	keys.Transport = &bounded{keys.Transport, v, v.fetches}
	v.client, v.keys = &client, &keys
	return v
}

// bounded bounds what is asked of the provider, and what it answers.
type bounded struct {
	http.RoundTripper
	verifier *verifier
	limit    *rate.Limiter // nil: there is none
}

var errTooOften = errors.New("the provider was asked too often lately")

func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.limit != nil && !b.limit.Allow() {
		b.verifier.failing.Store(true)
		return nil, errTooOften
	}
	response, err := b.RoundTripper.RoundTrip(r)
	failed := err != nil || response.StatusCode != http.StatusOK
	b.verifier.failing.Store(failed)
	if b.limit != nil && b.verifier.keyless.Swap(failed) != failed && failed {
		b.verifier.opts.Logger.Error("the keys of the identity provider cannot be fetched: is its jwks_uri reached from here? They are asked for again", "issuer", b.verifier.opts.Issuer)
	}
	if err != nil {
		return nil, err
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, maxAnswer), response.Body}
	return response, nil
}

// keep asks for the provider's metadata, at once and again and again, until ctx ends.
func (v *verifier) keep(ctx context.Context) {
	defer v.client.CloseIdleConnections()
	backoff := time.Second
	failed := false
	for {
		wait := discoverEvery
		switch err := v.discover(ctx); {
		case ctx.Err() != nil:
			return
		case err != nil:
			if !failed {
				v.opts.Logger.Error("the identity provider is not reached, or is not the one of --oidc-issuer; it is asked again", "issuer", v.opts.Issuer)
			}
			failed = true
			wait, backoff = backoff, min(2*backoff, 30*time.Second)
		default:
			if failed {
				v.opts.Logger.Info("the identity provider is reached", "issuer", v.opts.Issuer)
			}
			failed, backoff = false, time.Second
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func (v *verifier) discover(ctx context.Context) error {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, v.client), v.opts.Issuer)
	if err != nil {
		return err
	}
	next := provider.VerifierContext(oidc.ClientContext(ctx, v.keys), &oidc.Config{
		ClientID:             v.opts.Audience,
		SupportedSigningAlgs: []string{oidc.RS256, oidc.ES256},
		SkipExpiryCheck:      true, // it is checked with the leeway
	})
	v.mu.Lock()
	defer v.mu.Unlock()
	v.previous, v.current = v.current, next
	return nil
}

// verify gives the claims of a token that the provider has signed for the audience and that
// is valid now.
func (v *verifier) verify(ctx context.Context, raw string) (*claims, error) {
	if len(raw) > maxToken {
		return nil, errForeign
	}
	key := v.hash.Sum(raw)
	now := time.Now()
	known, ok := v.verified.GetIfPresent(key)
	if !ok || !now.Before(known.until) {
		var err error
		if known, err = v.check(ctx, raw); err != nil {
			return nil, err
		}
		known.until = now.Add(verifiedFor)
		v.verified.Set(key, known)
	}
	if !now.Before(known.expires) {
		return nil, errExpired
	}
	return known, nil
}

func (v *verifier) check(ctx context.Context, raw string) (*claims, error) {
	v.mu.RLock()
	current, previous := v.current, v.previous
	v.mu.RUnlock()
	if current == nil {
		return nil, graph.ErrNoVerifier
	}
	token, err := current.Verify(ctx, raw)
	switch proven := v.proven.Load(); {
	case err == nil:
		v.proven.Store(current)
	case !v.failing.Load(), proven == current:
	case proven == nil:
		return nil, graph.ErrNoVerifier
	case previous != nil:
		token, err = previous.Verify(ctx, raw)
	}
	if err != nil {
		return nil, errForeign // its text may repeat what the token says
	}
	c := &claims{subject: token.Subject, expires: token.Expiry.Add(v.opts.Leeway), bytes: 2 * len(raw)}
	var times struct {
		Expires   json.Number `json:"exp"`
		NotBefore json.Number `json:"nbf"`
	}
	if token.Claims(&c.values) != nil || token.Claims(&times) != nil || times.Expires == "" {
		return nil, errForeign
	}
	if notBefore, err := times.NotBefore.Float64(); err == nil &&
		notBefore > float64(time.Now().Add(v.opts.Leeway).UnixMilli())/1000 { // as numbers: a moment may be beyond time's
		return nil, errEarly
	}
	return c, nil
}
