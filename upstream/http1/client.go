// Package http1 is an HTTP/1.1 client for many small GETs of one address.
//
// net/http serves a connection with two goroutines and hands each request and each
// answer from one to another. Here the caller's own goroutine writes the request
// and reads the answer, on a connection that it has for itself meanwhile. What
// the job API does not need is left out: redirects, cookies, proxies, HTTP/2.
package http1

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

var (
	// ErrHTTP2 says that the server chose HTTP/2: net/http speaks it.
	ErrHTTP2 = errors.New("the server speaks HTTP/2")
	// ErrBodyTooLong says that a body has more bytes than Options.MaxBody.
	ErrBodyTooLong = errors.New("the answer's body is too long")
)

// Options are a Client's settings; a zero field means its default.
type Options struct {
	// MaxIdle bounds the connections that wait to be used again; 256.
	MaxIdle int
	// IdleTimeout is how long they wait; 90 s.
	IdleTimeout time.Duration
	// MaxBody bounds a body, in bytes and after decompression; 1 MiB.
	MaxBody int
	// RootCAs are who may sign the server's certificate; nil: the system's.
	RootCAs *x509.CertPool
	// UserAgent is the header of that name, written as it is; "jobgraph".
	UserAgent string
	// Traceparent gives the header of that name for a call under the context, "" being none;
	// nil: none ever.
	Traceparent func(context.Context) string
	// Gzip asks for bodies that are compressed, where they are worth it. One that is
	// compressed unasked is read as well.
	Gzip bool
}

// Response is an answer, or as much of one as came.
type Response struct {
	// Status is 0 where there was no answer at all.
	Status int
	// RetryAfter is the header of that name; "" where there is none.
	RetryAfter string
	Body       []byte
}

// Client asks one address. It is safe for concurrent use and has no goroutine.
type Client struct {
	address string
	tls     *tls.Config // nil: plain HTTP
	request []byte      // as far as the query
	rest    []byte      // after the query
	maxBody int
	idle    *pool

	traceparent func(context.Context) string
}

// Serves says whether a Client can ask the endpoint, on this system. It cannot
// where a host name needs more than to be written down as it is.
func Serves(endpoint *url.URL) bool {
	return canPeek && !strings.ContainsFunc(endpoint.Host, func(c rune) bool { return c > '~' || c == '%' })
}

var ports = map[string]string{"http": "80", "https": "443"}

// New returns a client of an endpoint that is http or https and that it [Serves].
// The query is each call's own.
func New(endpoint *url.URL, opts Options) *Client {
	gzip := ""
	if opts.Gzip {
		gzip = "Accept-Encoding: gzip\r\n"
	}
	c := &Client{
		address: net.JoinHostPort(endpoint.Hostname(), cmp.Or(endpoint.Port(), ports[endpoint.Scheme])),
		request: []byte("GET /" + strings.TrimPrefix(endpoint.EscapedPath(), "/") + "?"),
		rest: []byte(" HTTP/1.1\r\nHost: " + strings.TrimSuffix(endpoint.Host, ":") +
			"\r\nAccept: application/json\r\nUser-Agent: " + cmp.Or(opts.UserAgent, "jobgraph") + "\r\n" + gzip + "\r\n"),
		maxBody: cmp.Or(opts.MaxBody, 1<<20),

		traceparent: opts.Traceparent,
		idle:        newPool(cmp.Or(opts.MaxIdle, 256), cmp.Or(opts.IdleTimeout, 90*time.Second)),
	}
	if endpoint.Scheme == "https" {
		c.tls = &tls.Config{
			RootCAs:    opts.RootCAs,
			ServerName: endpoint.Hostname(),
			MinVersion: tls.VersionTLS12,
			NextProtos: []string{"h2", "http/1.1"},
		}
	}
	return c
}

// Close closes the idle connections, and those in use as soon as their calls end.
func (c *Client) Close() { c.idle.close() }

// Get asks with the query, which is written as it is. The call ends with ctx or at
// the deadline, whichever is first, and its error is then [context.Canceled] or
// [context.DeadlineExceeded]. An error beside a status tells of a body that is cut
// or too long. No error holds the query or anything that the server sent, but for
// the names in a certificate that is not trusted.
//
// Before more than 64 KiB of a body are read large is called, with a context that ends
// with the call; its error is the call's. nil: it is not.
func (c *Client) Get(ctx context.Context, deadline time.Time, query string, large func(context.Context) error) (Response, error) {
	return c.do(ctx, deadline, query, func(r *bufio.Reader, h head) ([]byte, error) {
		return readBody(r, h, c.maxBody, func() error {
			if large == nil {
				return nil
			}
			ctx, cancel := context.WithDeadline(ctx, deadline)
			defer cancel()
			return large(ctx)
		})
	})
}

// bodyReader reads an answer's body, or as much of it as is wanted.
type bodyReader func(*bufio.Reader, head) ([]byte, error)

func (c *Client) do(ctx context.Context, deadline time.Time, query string, body bodyReader) (Response, error) {
	if own, ok := ctx.Deadline(); ok && own.Before(deadline) {
		deadline = own
	}
	var traceparent string
	if c.traceparent != nil {
		traceparent = c.traceparent(ctx)
	}
	if conn := c.reusable(deadline); conn != nil {
		response, err := c.exchange(ctx, conn, query, traceparent, body)
		// The server may have closed an idle connection just now. To ask again
		// harms nothing: it is a GET.
		if err == nil || conn.answered {
			return response, err
		}
	}
	conn, err := c.dial(ctx, deadline)
	if err != nil {
		return Response{}, callerError(ctx, err)
	}
	return c.exchange(ctx, conn, query, traceparent, body)
}

// reusable is an idle connection on which nothing has happened meanwhile, nil
// where there is none: an answer that nobody asked for must not become the next job's.
func (c *Client) reusable(deadline time.Time) *conn {
	for {
		conn := c.idle.take()
		if conn == nil {
			return nil
		}
		if conn.ready(deadline) {
			return conn
		}
		conn.Close()
	}
}

// exchange uses the connection for one request and keeps it where nothing speaks
// against using it again.
func (c *Client) exchange(ctx context.Context, conn *conn, query, traceparent string, body bodyReader) (Response, error) {
	stop := context.AfterFunc(ctx, conn.interrupt)
	response, keep, err := conn.roundTrip(c, query, traceparent, body)
	// Where the interruption has begun it may still come at any time.
	if uninterrupted := stop(); keep && uninterrupted && err == nil {
		c.idle.give(conn)
	} else {
		conn.Close()
	}
	return response, callerError(ctx, err)
}

// callerError is the error for the caller: a connection says "i/o timeout"
// where the call was ended.
func callerError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return context.DeadlineExceeded
	}
	return err
}
