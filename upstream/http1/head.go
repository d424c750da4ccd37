package http1

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"io"
	"strconv"
	"strings"
)

const (
	// maxHead bounds the lines before a body, those of informational answers
	// included, and the trailers after it; in bytes.
	maxHead = 64 << 10
	// maxInformational bounds the answers with a status of 1xx before the final one.
	maxInformational = 8
)

var (
	errStatusLine   = errors.New("the answer's first line is not HTTP/1.1's")
	errHeader       = errors.New("the answer's header is malformed")
	errHeadTooLong  = errors.New("the answer's header has more than 64 KiB")
	errInformations = errors.New("too many answers with a status of 1xx")
	errFraming      = errors.New("the answer does not say for certain how long it is")
)

// head is what is read of a status line and a header.
type head struct {
	status     int
	length     int64 // of the body; -1: not given
	chunked    bool
	persistent bool // the connection can be used again after the body
	gzip       bool
	retryAfter string
}

// readHead reads the final answer's head.
func readHead(r *bufio.Reader) (head, error) {
	lines := lineReader{r, maxHead}
	for range maxInformational + 1 {
		h, err := lines.head()
		if err != nil || h.status >= 200 {
			return h, err
		}
	}
	return head{}, errInformations
}

// lineReader reads lines, of a bounded number of bytes together.
type lineReader struct {
	*bufio.Reader
	left int
}

// line is the next one without its end. It is void after the next read.
func (r *lineReader) line() ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		line, err = r.longLine(line)
	}
	if r.left -= len(line); r.left < 0 {
		return nil, errHeadTooLong
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

// longLine is a line that the reader's buffer has no room for.
func (r *lineReader) longLine(begin []byte) ([]byte, error) {
	line := bytes.Clone(begin)
	for {
		more, err := r.ReadSlice('\n')
		line = append(line, more...)
		if err != bufio.ErrBufferFull || len(line) > r.left {
			return line, err
		}
	}
}

func (r *lineReader) head() (head, error) {
	line, err := r.line()
	if err != nil {
		return head{}, err
	}
	h, old, ok := parseStatusLine(line)
	if !ok {
		return head{}, errStatusLine
	}
	for {
		line, err := r.line()
		switch {
		case err != nil:
			return head{}, err
		case len(line) == 0:
			return h.framed(old)
		}
		if err := h.take(line); err != nil {
			return head{}, err
		}
	}
}

// parseStatusLine reads HTTP/1.1 200 OK; old says that it is HTTP/1.0's.
func parseStatusLine(line []byte) (h head, old, ok bool) {
	version, rest, _ := bytes.Cut(line, []byte(" "))
	old = string(version) == "HTTP/1.0"
	code, _, _ := bytes.Cut(rest, []byte(" "))
	if !old && string(version) != "HTTP/1.1" || len(code) != 3 {
		return head{}, false, false
	}
	status, err := strconv.ParseUint(string(code), 10, 16)
	// Nobody asked to switch protocols (101).
	ok = err == nil && status >= 100 && status != 101
	return head{status: int(status), length: -1, persistent: true}, old, ok
}

// take reads a line of the header.
func (h *head) take(line []byte) error {
	colon := bytes.IndexByte(line, ':')
	if colon < 1 || !isToken(line[:colon]) {
		return errHeader
	}
	name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
	if bytes.IndexByte(value, '\r') >= 0 || bytes.IndexByte(value, 0) >= 0 {
		return errHeader
	}
	switch {
	case is(name, "Content-Length"):
		return h.takeLength(value)
	case is(name, "Transfer-Encoding"):
		if h.chunked || !is(value, "chunked") {
			return errFraming
		}
		h.chunked = true
	case is(name, "Connection"):
		for option := range bytes.SplitSeq(value, []byte(",")) {
			if is(bytes.Trim(option, " \t"), "close") {
				h.persistent = false
			}
		}
	case is(name, "Content-Encoding"):
		h.gzip = is(value, "gzip")
	case is(name, "Retry-After"):
		h.retryAfter = cmp.Or(h.retryAfter, string(value))
	}
	return nil
}

// takeLength takes decimal digits alone, and the same ones each time.
func (h *head) takeLength(value []byte) error {
	length, err := strconv.ParseUint(string(value), 10, 63)
	if err != nil || h.length >= 0 && h.length != int64(length) {
		return errFraming
	}
	h.length = int64(length)
	return nil
}

// framed is the head with what follows from all of its lines together.
func (h head) framed(old bool) (head, error) {
	if old && h.chunked {
		return head{}, errFraming // HTTP/1.0 has no chunks
	}
	if h.chunked && h.length >= 0 {
		// The chunks count. Who sends both may be two who do not agree.
		h.length, h.persistent = -1, false
	}
	if h.status < 200 || h.status == 204 || h.status == 304 {
		h.chunked, h.length = false, 0
	}
	if old || !h.chunked && h.length < 0 {
		h.persistent = false
	}
	return h, nil
}

// is compares names as HTTP does, whatever their case.
func is(text []byte, name string) bool {
	return len(text) == len(name) && strings.EqualFold(string(text), name)
}

// isToken says whether the text can be a header's name (RFC 9110, 5.6.2).
func isToken(text []byte) bool {
	for _, c := range text {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return true
}
