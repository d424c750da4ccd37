package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"jobgraph/graph/serve/settings"
)

// healthTimeout bounds the command: a container's check has about as long.
const healthTimeout = 3 * time.Second

// health asks a server on this machine how it is, for container engines that have no curl.
func health(ctx context.Context, c *settings.Health, stdout io.Writer) error {
	path := "/healthz"
	if c.Ready {
		path = "/readyz"
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen must be like :8080: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return err
	}
	request.Host = "localhost" // a server answers to that name, and not to each that --listen may have
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return fmt.Errorf("the server at %s does not answer: %w", c.Listen, networkError(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers with status %d", path, response.StatusCode)
	}
	_, err = fmt.Fprintln(stdout, "ok")
	return err
}

// networkError is the innermost error of a dial or a read.
func networkError(err error) error {
	var failed *net.OpError
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
