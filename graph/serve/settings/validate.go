package settings

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"jobgraph/upstream/sandbox"
	"jobgraph/upstream/secret"
)

const minCallbackSecret = 16

var errUpstreamTimeout = errors.New("--upstream-timeout must be more than 0, such as 10s")

var errCallbackSecret = fmt.Errorf("--callback-secret must have %d characters or more, such as what openssl rand -hex 16 prints", minCallbackSecret)

// Validate is called by kong: what is wrong is said at start, in one line.
func (c *Serve) Validate() error {
	switch {
	case c.UpstreamTimeout <= 0:
		return errUpstreamTimeout
	case c.UpstreamAttempt < 0, c.UpstreamAttempt > c.UpstreamTimeout:
		return errors.New("--upstream-attempt-timeout must be at most --upstream-timeout")
	case c.UpstreamConcurrency <= 0:
		return errors.New("--upstream-concurrency must be at least 1")
	case c.PollInterval < 100*time.Millisecond:
		return errors.New("--poll-interval must be at least 100ms, such as 2s")
	case c.PollMax < c.PollInterval:
		return errors.New("--poll-max must be at least as long as --poll-interval, such as 30s")
	case c.MaxWatchedJobs <= 0:
		return errors.New("--max-watched-jobs must be at least 1")
	case c.MaxConnections <= 0:
		return errors.New("--max-connections must be at least 1")
	case c.MaxClientConnections < 0:
		return errors.New("--max-connections-per-client must be at least 1, or 0 for no such bound")
	case c.MaxOperations <= 0:
		return errors.New("--max-operations must be at least 1")
	case c.CallbackSecret != "" && c.CallbackSecretFile != "":
		return errors.New("--callback-secret and --callback-secret-file are the same setting: leave one out")
	case c.CallbackSecret != "" && checkCallbackSecret(c.CallbackSecret) != nil:
		return errCallbackSecret
	case c.CacheSettled <= 0 || c.CacheActive <= 0:
		return errors.New("--cache-settled and --cache-active must be more than 0; --cache=false keeps nothing")
	case c.ShutdownDelay < 0:
		return errors.New("--shutdown-delay must not be less than 0")
	case c.LogSlow < 0:
		return errors.New("--log-slow must not be less than 0, such as 1s")
	case c.MaxBodyBytes <= 0:
		return errors.New("--max-body-bytes must be at least 1")
	case c.MaxInflight <= 0:
		return errors.New("--max-inflight must be at least 1")
	case c.MaxResponseBytes <= 0:
		return errors.New("--max-response-bytes must be at least 1")
	case c.MaxMemoryAnswers < c.MaxResponseBytes:
		return errors.New("--max-memory-answers must be at least --max-response-bytes, or no large answer fits")
	}
	return cmp.Or(c.Login.validate(), c.validateOIDC(), c.Fleet.validate(), c.Limits.Validate(), c.validatePrefix(), c.SandboxScenario.validate(), c.validateScenario())
}

func (c *Serve) validateScenario() error {
	if c.SandboxScenario.Text != "" && c.UpstreamURL != "" {
		return errors.New("--sandbox-scenario is for the embedded sandbox: leave it or --upstream-url out")
	}
	return nil
}

func (c *Serve) validatePrefix() error {
	if c.Prefix.Types != "" && c.Example {
		return errors.New("--example asks by the names without --type-prefix: leave one of them out")
	}
	return c.Prefix.Validate()
}

func (c *Serve) validateOIDC() error {
	issuer, err := url.Parse(c.OIDCIssuer)
	set := given(c.OIDCIssuer, c.OIDCAudience, c.Tenants)
	switch {
	case set == 0:
		return nil
	case set < 3:
		return errors.New("--oidc-issuer, --oidc-audience and --tenants need each other")
	case err != nil, issuer.Host == "", issuer.User != nil, issuer.RawQuery != "",
		issuer.Scheme != "https" && !(issuer.Scheme == "http" && isLoopback(issuer.Hostname())):
		return errors.New("--oidc-issuer must be like https://login.example.com/realms/captions")
	case c.Login.Given():
		return errors.New("--oidc-issuer lets nobody in without an identity: leave --upstream-token and --upstream-username out")
	case c.OIDCLeeway < 0, c.OIDCLeeway > 5*time.Minute:
		return errors.New("--oidc-leeway must be from 0s to 5m")
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Validate is called by kong.
func (c *Sandbox) Validate() error {
	switch {
	case c.Jobs < 0, c.Jobs > sandbox.MaxJobs:
		return fmt.Errorf("--jobs must be from 0 to %d", sandbox.MaxJobs)
	case c.ListLag < 0:
		return errors.New("--list-lag must not be less than 0, such as 3s")
	case c.TokenLife <= 0:
		return errors.New("--token-life must be more than 0, such as 1h")
	}
	return c.SandboxScenario.validate()
}

// Validate is called by kong.
func (c *CallbackURL) Validate() error {
	public, err := url.Parse(c.PublicURL)
	switch {
	case err != nil, public.Scheme != "http" && public.Scheme != "https", public.Host == "":
		return errors.New("--public-url must be like https://captions.example.com")
	case public.User != nil:
		return errors.New("--public-url must not have a user or a password: callbacks are signed with --callback-secret")
	case strings.Contains(c.PublicURL, "#"):
		return errors.New("--public-url must not have a fragment: leave # and what follows out")
	case strings.Contains(c.PublicURL, "?"):
		return errors.New("--public-url must not have a query: leave ? and what follows out")
	case given(c.CallbackSecret, c.CallbackSecretFile) != 1:
		return errors.New("the secret is missing: give --callback-secret or --callback-secret-file, as the server has it")
	}
	_, err = callbackSecret(c.CallbackSecret, c.CallbackSecretFile)
	return err
}

// Secret is the server's secret.
func (c *CallbackURL) Secret() (*secret.Text, error) {
	return callbackSecret(c.CallbackSecret, c.CallbackSecretFile)
}

// Callbacks is the secret of the address for callbacks; nil: there is none.
func (c *Serve) Callbacks() (*secret.Text, error) {
	if given(c.CallbackSecret, c.CallbackSecretFile) == 0 {
		return nil, nil
	}
	return callbackSecret(c.CallbackSecret, c.CallbackSecretFile)
}

func callbackSecret(value, name string) (*secret.Text, error) {
	if name == "" && checkCallbackSecret(value) != nil {
		return nil, errCallbackSecret
	}
	return file("--callback-secret-file", value, name, checkCallbackSecret)
}

func checkCallbackSecret(value string) error {
	if len(value) < minCallbackSecret {
		return errCallbackSecret
	}
	return nil
}
