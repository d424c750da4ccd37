package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"jobgraph/upstream/http1"
)

// getter asks the job API's endpoint with a query. Answers and errors are as
// those of [http1.Client.Get], which is one of the two ways to ask.
type getter interface {
	Get(ctx context.Context, deadline time.Time, query string, large func(context.Context) error) (http1.Response, error)
	Close()
}

// streamer asks it as [http1.Client.Stream] does.
type streamer interface {
	Stream(ctx context.Context, deadline time.Time, query string, read func(io.Reader) error) (http1.Response, error)
	Close()
}

type getStreamer interface {
	getter
	streamer
}

// newGetter chooses the way to ask: http1, which costs a fraction of what net/http
// does, or net/http for what http1 leaves out, proxies and HTTP/2.
//
// What is read as a stream, the longest of all, is asked for compressed.
func newGetter(endpoint *url.URL, concurrency, maxBody int, stream bool, traced *tracing, opts Options) getStreamer {
	agent := userAgent(opts.Version)
	full := &netHTTP{*endpoint, agent, maxBody, newTransport(concurrency, opts), traced.header()}
	if opts.UseProxy || !http1.Serves(endpoint) {
		return full
	}
	lean := http1.New(endpoint, http1.Options{MaxIdle: concurrency, MaxBody: maxBody, RootCAs: opts.RootCAs, UserAgent: agent, Gzip: stream, Traceparent: traced.header()})
	return &fallback{http1: lean, std: full}
}

// fallback asks by http1 until upstream chooses HTTP/2, as TLS lets it do, and by
// net/http from then on.
type fallback struct {
	http1, std getStreamer
	http2      atomic.Bool
}

func (n *fallback) Get(ctx context.Context, deadline time.Time, query string, large func(context.Context) error) (http1.Response, error) {
	return n.ask(func(g getStreamer) (http1.Response, error) { return g.Get(ctx, deadline, query, large) })
}

func (n *fallback) Stream(ctx context.Context, deadline time.Time, query string, read func(io.Reader) error) (http1.Response, error) {
	return n.ask(func(g getStreamer) (http1.Response, error) { return g.Stream(ctx, deadline, query, read) })
}

func (n *fallback) ask(by func(getStreamer) (http1.Response, error)) (http1.Response, error) {
	if !n.http2.Load() {
		answer, err := by(n.http1)
		if !errors.Is(err, http1.ErrHTTP2) {
			return answer, err
		}
		n.http2.Store(true)
	}
	return by(n.std)
}

func (n *fallback) Close() {
	n.http1.Close()
	n.std.Close()
}

// netHTTP asks by net/http. It speaks to the transport itself: an http.Client would
// follow redirects and put the whole URL, token included, into its errors.
type netHTTP struct {
	endpoint  url.URL
	userAgent string
	maxBody   int
	transport *http.Transport
	// traceparent is as http1's.
	traceparent func(context.Context) string
}

func (n *netHTTP) Get(ctx context.Context, deadline time.Time, query string, large func(context.Context) error) (http1.Response, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	return n.do(ctx, query, func(answer *http1.Response, body io.Reader) error {
		return readAll(answer, body, n.maxBody, func() error { return large(ctx) })
	})
}

func (n *netHTTP) Stream(ctx context.Context, deadline time.Time, query string, read func(io.Reader) error) (http1.Response, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	return n.do(ctx, query, func(answer *http1.Response, body io.Reader) error {
		if answer.Status != http.StatusOK {
			return readAll(answer, body, min(n.maxBody, maxBody), func() error { return nil })
		}
		return http1.ReadStream(body, n.maxBody, read)
	})
}

func readAll(answer *http1.Response, from io.Reader, limit int, large func() error) error {
	body, err := http1.ReadAll(from, limit, large)
	if !errors.Is(err, http1.ErrBodyTooLong) {
		answer.Body = body
	}
	return err
}

func (n *netHTTP) do(ctx context.Context, query string, read func(*http1.Response, io.Reader) error) (http1.Response, error) {
	address := n.endpoint
	address.RawQuery = query
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return http1.Response{}, errors.New("the request could not be built")
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", n.userAgent)
	if n.traceparent != nil {
		if value := n.traceparent(ctx); value != "" {
			request.Header.Set("Traceparent", value)
		}
	}
	response, err := n.transport.RoundTrip(request)
	if err != nil {
		return http1.Response{}, err
	}
	defer response.Body.Close()
	answer := http1.Response{Status: response.StatusCode, RetryAfter: response.Header.Get("Retry-After")}
	err = read(&answer, response.Body)
	if !errors.Is(err, http1.ErrBodyTooLong) {
		n.end(response)
	}
	return answer, err
}

// end drops the connection of an answer that has no body by its status alone, as
// http1 does; net/http has made it idle by now. HTTP/2 says itself where an answer ends.
func (n *netHTTP) end(response *http.Response) {
	bodiless := response.StatusCode == http.StatusNoContent || response.StatusCode == http.StatusNotModified
	if bodiless && response.ProtoMajor == 1 {
		n.transport.CloseIdleConnections()
	}
}

func (n *netHTTP) Close() { n.transport.CloseIdleConnections() }

// newTransport returns a transport whose pool keeps a connection for each call
// that may be under way: net/http's own two a host would reconnect all the time.
func newTransport(concurrency int, opts Options) *http.Transport {
	transport := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           concurrency,
		MaxIdleConnsPerHost:    concurrency,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if opts.RootCAs != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: opts.RootCAs, MinVersion: tls.VersionTLS12}
	}
	if opts.UseProxy {
		transport.Proxy = http.ProxyFromEnvironment
	}
	return transport
}

// TransportLog is a writer for the standard logger, which net/http's transport
// writes to by itself. What upstream sent unasked stands in such a line behind a
// quote or a semicolon and may repeat a token: only the words before are kept.
func TransportLog(logger *slog.Logger) io.Writer { return transportLog{logger} }

type transportLog struct{ logger *slog.Logger }

func (l transportLog) Write(line []byte) (int, error) {
	words, _, _ := strings.Cut(string(line), ";")
	words, _, _ = strings.Cut(words, `"`)
	l.logger.Warn("net/http: " + strings.TrimSpace(words))
	return len(line), nil
}
