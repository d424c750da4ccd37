package upstream

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

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
