// Package load puts a server under load and measures it, in turns with handlers
// that do the same work without GraphQL. It is for benchmarks alone.
package load

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// A connection posts bodies one after another. It looks at no more of an answer than
// it must: what the generator costs is taken from the server, on the same machine.
type connection struct {
	net.Conn
	in   *bufio.Reader
	head string
	out  []byte
	body []byte
}

// dial opens a connection for posts to the address, such as http://127.0.0.1:8080/graphql.
func dial(address string) (*connection, error) {
	host, path, _ := strings.Cut(strings.TrimPrefix(address, "http://"), "/")
	if address, err := netip.ParseAddrPort(host); err != nil || !address.Addr().IsLoopback() {
		return nil, fmt.Errorf("%s is not on this machine: load goes nowhere else", host)
	}
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return nil, err
	}
	return &connection{
		Conn: conn,
		in:   bufio.NewReaderSize(conn, 32<<10),
		head: fmt.Sprintf("POST /%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: application/json\r\nContent-Length: ", path, host),
	}, nil
}

// A reply is an answer; its body is valid until the next one.
type reply struct {
	status     int
	retryAfter string
	last       bool // the server closes the connection
	body       []byte
}

// post sends the body and gives the answer's, which is valid until the next post.
func (c *connection) post(body []byte) ([]byte, error) {
	got, err := c.ask(body)
	if err == nil && got.status != http.StatusOK {
		err = fmt.Errorf("answered %d %.300s", got.status, got.body)
	}
	return got.body, err
}

// ask sends the body and gives the answer, whatever its status is.
func (c *connection) ask(body []byte) (got reply, err error) {
	c.out = append(c.out[:0], c.head...)
	c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
	c.out = append(append(c.out, "\r\n\r\n"...), body...)
	if _, err := c.Write(c.out); err != nil {
		return got, err
	}
	length, err := c.readHead(&got)
	switch {
	case err != nil:
		return got, err
	case length < 0:
		got.body, err = c.readChunks()
		return got, err
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	c.body = c.body[:length]
	_, err = io.ReadFull(c.in, c.body)
	got.body = c.body
	return got, err
}

// readHead gives the body's length, -1 where it comes in chunks.
func (c *connection) readHead(got *reply) (length int, err error) {
	status, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	code, ok := bytes.CutPrefix(status, []byte("HTTP/1.1 "))
	if got.status, err = strconv.Atoi(string(code[:min(3, len(code))])); err != nil || !ok {
		return 0, fmt.Errorf("answered %.100q", status)
	}
	length = -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			return length, nil
		}
		if value, ok := header(line, "Content-Length: "); ok {
			length, err = strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil {
				return 0, err
			}
		} else if value, ok := header(line, "Retry-After: "); ok {
			got.retryAfter = string(bytes.TrimSpace(value))
		} else if bytes.EqualFold(line, []byte("Connection: close\r\n")) {
			got.last = true
		}
	}
}

// header is the value of a header line, if it has this name: haproxy writes names in small letters.
func header(line []byte, name string) ([]byte, bool) {
	if len(line) < len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return nil, false
	}
	return line[len(name):], true
}

func (c *connection) readChunks() ([]byte, error) {
	c.body = c.body[:0]
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return nil, err
		}
		at := len(c.body)
		c.body = append(c.body, make([]byte, size)...)
		if _, err := io.ReadFull(c.in, c.body[at:]); err != nil {
			return nil, err
		}
		if _, err := c.in.Discard(2); err != nil || size == 0 {
			return c.body, err
		}
	}
}
