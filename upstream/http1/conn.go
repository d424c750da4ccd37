package http1

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"
)

// dialTimeout bounds a dial, and a TLS handshake.
const dialTimeout = 5 * time.Second

// conn is one connection to the server.
type conn struct {
	net.Conn
	peeker    *peeker // at the socket itself
	reader    *bufio.Reader
	request   []byte    // room for one
	interrupt func()    // ends what waits to be read or written
	answered  bool      // whether the first byte of the last answer came
	since     time.Time // when it became idle
}

// dial returns a connection, its deadline set.
func (c *Client) dial(ctx context.Context, deadline time.Time) (*conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout, Deadline: deadline}
	socket, err := dialer.DialContext(ctx, "tcp", c.address)
	if err != nil {
		return nil, err
	}
	made, err := c.secured(ctx, socket, deadline)
	if err == nil {
		err = made.SetDeadline(deadline)
	}
	if err != nil {
		socket.Close()
		return nil, err
	}
	return made, nil
}

// secured makes a connection of the socket, under TLS where the scheme is https.
func (c *Client) secured(ctx context.Context, socket net.Conn, deadline time.Time) (*conn, error) {
	raw, err := socket.(*net.TCPConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	made := &conn{Conn: socket, peeker: newPeeker(raw)}
	if c.tls != nil {
		if end := time.Now().Add(dialTimeout); end.Before(deadline) {
			deadline = end
		}
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		secure := tls.Client(socket, c.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		if secure.ConnectionState().NegotiatedProtocol == "h2" {
			return nil, ErrHTTP2
		}
		made.Conn = secure
	}
	made.reader = bufio.NewReader(made.Conn)
	made.interrupt = func() { _ = socket.SetDeadline(past) }
	return made, nil
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// roundTrip writes the request and reads the whole answer; keep says whether
// another request may follow.
func (c *conn) roundTrip(client *Client, query, traceparent string, body bodyReader) (response Response, keep bool, err error) {
	c.answered = false
	c.request = append(append(append(c.request[:0], client.request...), query...), client.rest...)
	if traceparent != "" {
		c.request = append(c.request[:len(c.request)-len("\r\n")], "traceparent: "+traceparent+"\r\n\r\n"...)
	}
	if _, err := c.Write(c.request); err != nil {
		return Response{}, false, err
	}
	if _, err := c.reader.Peek(1); err != nil {
		return Response{}, false, err
	}
	c.answered = true
	head, err := readHead(c.reader)
	if err != nil {
		return Response{}, false, err
	}
	response = Response{Status: head.status, RetryAfter: head.retryAfter}
	response.Body, err = body(c.reader, head)
	// Bytes beyond the answer are no answer to what is asked next.
	return response, head.persistent && c.reader.Buffered() == 0, err
}

// ready sets the deadline of an idle connection's next request. It is false where
// the connection is not as it was left, open and with nothing to read.
func (c *conn) ready(deadline time.Time) bool {
	if secure, ok := c.Conn.(*tls.Conn); ok {
		// What has left the socket already and waits in TLS is got without waiting.
		_ = c.SetDeadline(past)
		var one [1]byte
		n, err := secure.Read(one[:])
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
	}
	return c.SetDeadline(deadline) == nil && c.peeker.quiet()
}
