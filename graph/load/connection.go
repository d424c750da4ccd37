// Package load puts a server under load and measures it, in turns with handlers
// that do the same work without GraphQL. It is for benchmarks alone.
package load

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
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

// post sends the body and gives the answer's, which is valid until the next post.
func (c *connection) post(body []byte) ([]byte, error) {
	c.out = append(c.out[:0], c.head...)
	c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
	c.out = append(append(c.out, "\r\n\r\n"...), body...)
	if _, err := c.Write(c.out); err != nil {
		return nil, err
	}
	length, err := c.readHead()
	if err != nil {
		return nil, err
	}
	if length < 0 {
		return c.readChunks()
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	c.body = c.body[:length]
	_, err = io.ReadFull(c.in, c.body)
	return c.body, err
}

// readHead gives the body's length, -1 where it comes in chunks.
func (c *connection) readHead() (length int, err error) {
	status, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200")) {
		return 0, fmt.Errorf("answered %s", bytes.TrimSpace(status))
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
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, err = strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil {
				return 0, err
			}
		}
	}
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
