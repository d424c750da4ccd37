package serve

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"jobgraph/graph/serve/identity"
	"jobgraph/graph/serve/settings"
	"jobgraph/graph/serve/version"
	"jobgraph/upstream"
)

// maxSkew is how far this machine's clock may be from the job API's: beyond it, jobs are
// taken for settled too early or too late, and certificates for expired.
const maxSkew = time.Minute

// maxTenantLogins bounds the logins with tenants' accounts.
const maxTenantLogins = 20

// examination is a run of the command doctor. What fails is said, and the rest is tried all
// the same where it can be.
type examination struct {
	*settings.Doctor
	base   *url.URL
	client *upstream.Client
	out    io.Writer
	failed int
}

// doctor asks the configured job API with the configured credentials, and says in plain
// lines what works.
func doctor(ctx context.Context, c *settings.Doctor, stdout io.Writer) error {
	base, err := url.Parse(c.UpstreamURL)
	if err != nil {
		return errors.New("--upstream-url must be like https://api.cielo24.com")
	}
	client, err := upstream.New(c.UpstreamURL, upstream.Options{Timeout: c.UpstreamTimeout,
		UseProxy: c.UpstreamProxyFromEnv, Version: version.Current().Version})
	if err != nil {
		return fmt.Errorf("--upstream-url: %w", err)
	}
	defer client.Close()
	e := &examination{Doctor: c, base: base, client: client, out: stdout}
	e.report("settings", "the job API is "+base.Scheme+"://"+base.Host, nil)
	if !c.UpstreamProxyFromEnv {
		e.check(ctx, "DNS", e.dns)
		if base.Scheme == "https" {
			e.check(ctx, "TLS", e.tls)
		}
	}
	e.check(ctx, "clock", e.clock)
	if token, ok := e.login(ctx); ok {
		e.check(ctx, "job", func(ctx context.Context) (string, error) { return e.job(ctx, token) })
	}
	if c.Tenants != "" {
		e.tenants(ctx)
	}
	if e.failed > 0 {
		return fmt.Errorf("%d checks failed", e.failed)
	}
	return nil
}

// report writes a check's line. No line holds a token or another secret.
func (e *examination) report(check, said string, err error) {
	verdict := "ok  "
	if err != nil {
		verdict, said = "FAIL", err.Error()
		e.failed++
	}
	fmt.Fprintf(e.out, "%s  %-8s  %s\n", verdict, check, said)
}

func (e *examination) check(ctx context.Context, name string, check func(context.Context) (string, error)) {
	said, err := check(ctx)
	e.report(name, said, err)
}

func (e *examination) address() string {
	return net.JoinHostPort(e.base.Hostname(), cmp.Or(e.base.Port(), map[string]string{"http": "80", "https": "443"}[e.base.Scheme]))
}

func (e *examination) dns(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, e.UpstreamTimeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, e.base.Hostname())
	if err != nil {
		return "", fmt.Errorf("%s has no address: check --upstream-url and this machine's resolver", e.base.Hostname())
	}
	return e.base.Hostname() + " is " + strings.Join(addresses[:min(len(addresses), 4)], ", "), nil
}

func (e *examination) tls(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, e.UpstreamTimeout)
	defer cancel()
	conn, err := (&tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12}}).DialContext(ctx, "tcp", e.address())
	if err != nil {
		return "", fmt.Errorf("no secure connection: %w", networkError(err))
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	left := time.Until(state.PeerCertificates[0].NotAfter)
	return fmt.Sprintf("%s, certificate good for %d days", tls.VersionName(state.Version), int(left.Hours()/24)), nil
}

func (e *examination) clock(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, e.UpstreamTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, e.base.JoinPath("api/job/info").String(), nil)
	if err != nil {
		return "", errors.New("the request could not be built")
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if e.UpstreamProxyFromEnv {
		transport.Proxy = http.ProxyFromEnvironment
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return "", fmt.Errorf("the job API does not answer: %w", networkError(err))
	}
	response.Body.Close()
	theirs, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return "the job API does not say what time it is", nil
	}
	skew := time.Since(theirs).Round(time.Second)
	if skew.Abs() > maxSkew {
		return "", fmt.Errorf("this machine's clock is %s from the job API's: set it by NTP", skew)
	}
	return fmt.Sprintf("within %s of the job API's", skew.Abs()+time.Second), nil
}

// login gives the token that jobs are asked with.
func (e *examination) login(ctx context.Context) (token string, ok bool) {
	config, account, err := e.Login.Account()
	switch {
	case err != nil:
		e.report("login", "", err)
		return "", false
	case !account && e.UpstreamToken == "":
		e.report("login", "the server has no token of its own: each caller sends one", nil)
		return "", false
	case !account:
		e.report("login", "the token of --upstream-token is used", nil)
		return e.UpstreamToken, true
	case config.Token != nil:
		e.report("login", "the token of --upstream-token-file is used", nil)
		return config.Token.Get(), true
	}
	token, err = e.client.Login(ctx, config.Credentials())
	e.report("login", "the account of --upstream-username is logged in", err)
	return token, err == nil
}

// tenants logs in once with each account of --tenants: a second try with a wrong secret
// could lock it. Once the job API itself fails no other is tried.
func (e *examination) tenants(ctx context.Context) {
	accounts, err := identity.Tenants(e.Tenants)
	if err != nil {
		e.report("tenants", "", fmt.Errorf("--tenants: %w", err))
		return
	}
	tried := map[string]bool{e.UpstreamUsername: true}
	for n, name := range slices.Sorted(maps.Keys(accounts)) {
		config := accounts[name]
		switch {
		case len(tried) > maxTenantLogins:
			e.report("tenants", fmt.Sprintf("%d of %d were looked at; the others are not tried", n, len(accounts)), nil)
			return
		case tried[config.Username]:
			e.report("tenant", fmt.Sprintf("%q has an account that was tried above", name), nil)
			continue
		}
		tried[config.Username] = true
		_, err := e.client.Login(ctx, config.Credentials())
		failed := upstream.ErrorOf(err)
		switch {
		case err == nil:
			e.report("tenant", fmt.Sprintf("the account of %q is logged in", name), nil)
		case failed != nil && failed.Type == upstream.LoginInvalid:
			e.report("tenant", "", fmt.Errorf("%q: %s: the job API does not accept its user name, or its secure key or password", name, failed.Type))
		default:
			e.report("tenant", "", fmt.Errorf("%q: %w; the tenants after it are not tried", name, err))
			return
		}
	}
}

func (e *examination) job(ctx context.Context, token string) (string, error) {
	job, err := e.client.Job(ctx, upstream.NewRequest(token, e.JobID))
	switch failed := upstream.ErrorOf(err); {
	case err == nil:
		return "asked for one job, which is " + string(job.Status()), nil
	case failed != nil && failed.Type == upstream.ItemNotFound:
		return "asked for one job: the token is good, and there is none of that id (--job-id)", nil
	default:
		return "", err
	}
}
