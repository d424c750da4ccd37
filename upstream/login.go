package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"

	"jobgraph/upstream/http1"
)

// maxLogin bounds the answer to a login, in bytes.
const maxLogin = 64 << 10

// Credentials are what an account logs in with: its user name and one of the others.
type Credentials struct {
	Username string
	// SecureKey is the API key that the account's owner generates.
	SecureKey string
	Password  string
}

// loginEndpoint asks by net/http: a login is rare, and has headers of its own.
type loginEndpoint struct {
	address     string
	userAgent   string
	traceparent func(context.Context) string // nil: nothing is traced
	transport   *http.Transport
}

func newLoginEndpoint(endpoint *url.URL, tracing *tracing, opts Options) *loginEndpoint {
	endpoint.RawQuery = "v=1"
	return &loginEndpoint{endpoint.String(), userAgent(opts.Version), tracing.header(), newTransport(1, opts)}
}

// Login asks the job API for a token of the account, once and under no policy: who calls
// it bounds how often it does. The credentials go in headers, as a query is what proxies
// log. The error is an [*Error], or ctx's own where ctx ended first. None holds anything
// that upstream wrote: it was told the credentials.
func (c *Client) Login(ctx context.Context, credentials Credentials) (token string, err error) {
	spanCtx, end := c.tracing.attempt(ctx, "GET /api/account/login", 0)
	token, failed := c.logIn(spanCtx, credentials)
	end(failed)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case failed != nil:
		return "", failed
	}
	return token, nil
}

func (c *Client) logIn(ctx context.Context, credentials Credentials) (token string, failed *Error) {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	answer, err := c.login.ask(limited, credentials)
	switch {
	case err != nil && timedOut(err):
		return "", &Error{Type: Timeout, Comment: "The job API did not answer this server's login in time. Ask again in a moment."}
	case err != nil:
		return "", &Error{Type: Unavailable, cause: networkCause(err),
			Comment: "The job API cannot be reached for this server's login. Ask again in a moment."}
	}
	return loginAnswer(answer)
}

// networkCause is the cause where its text is the network's own: any other may quote what
// upstream sent.
func networkCause(err error) error {
	var network *net.OpError
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &network) || errors.As(err, &certificate) {
		return errors.New(redact(err.Error(), ""))
	}
	return nil
}

func (l *loginEndpoint) ask(ctx context.Context, credentials Credentials) (http1.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.address, nil)
	if err != nil {
		return http1.Response{}, errors.New("the request could not be built")
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", l.userAgent)
	if l.traceparent != nil {
		request.Header.Set("Traceparent", l.traceparent(ctx))
	}
	request.Header.Set("X-Auth-User", credentials.Username)
	if credentials.SecureKey != "" {
		request.Header.Set("X-Auth-Securekey", credentials.SecureKey)
	} else {
		request.Header.Set("X-Auth-Password", credentials.Password)
	}
	response, err := l.transport.RoundTrip(request)
	if err != nil {
		return http1.Response{}, err
	}
	defer response.Body.Close()
	body, err := http1.ReadAll(response.Body, maxLogin, func() error { return nil })
	return http1.Response{Status: response.StatusCode, RetryAfter: response.Header.Get("Retry-After"), Body: body}, err
}

// loginAnswer reads {"ApiToken": hex}, as the documentation has it, or {"api_token": hex},
// as the OpenAPI file does.
func loginAnswer(answer http1.Response) (token string, failed *Error) {
	status := answer.Status
	if status != http.StatusOK {
		return "", loginError(answer)
	}
	type granted struct {
		ApiToken string `json:"ApiToken"` //nolint:revive // upstream's spelling
		APIToken string `json:"api_token"`
	}
	body, err := unmarshal(answer.Body, func() *granted { return new(granted) })
	if err == nil {
		for _, token := range []string{body.ApiToken, body.APIToken} {
			if IsToken(token) {
				return token, nil
			}
		}
	}
	return "", &Error{Type: Malformed, Status: status,
		Comment: "The job API's answer to this server's login has no token. Check --upstream-url."}
}

func loginError(answer http1.Response) *Error {
	status := answer.Status
	refused := documentedError("", "", answer.Body)
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden,
		status >= 400 && status < 500 && status != http.StatusTooManyRequests && refused != nil:
		e := &Error{Type: LoginInvalid, Status: status,
			Comment: "The job API does not accept the credentials that this server logs in with. Tell its operator: the user name, the secure key or the password is wrong."}
		if refused != nil && refused.Type != Unrecognized {
			e.UpstreamType = refused.UpstreamType
		}
		return e
	case status == http.StatusTooManyRequests:
		return &Error{Type: RateLimited, Status: status, RetryAfter: retryAfter(answer.RetryAfter),
			Comment: "The job API takes no more logins for now (status 429). Ask again later."}
	case status >= 500:
		return &Error{Type: Unavailable, Status: status, RetryAfter: retryAfter(answer.RetryAfter),
			Comment: "The job API is failing at this server's login. Ask again in a moment."}
	default:
		return &Error{Type: Malformed, Status: status,
			Comment: "The job API answered this server's login with no documented error. Check --upstream-url."}
	}
}
