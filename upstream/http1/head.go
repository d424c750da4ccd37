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
	exact      bool // nothing leaves open where the answer ends
	persistent bool // the connection can be used again after the body
	gzip       bool
	retryAfter string
}

// readHead reads the final answer's head.
func readHead(r *bufio.Reader) (head, error) {
	lines := lineReader{Reader: r, left: maxHead}
	exact := true
	for range maxInformational + 1 {
		h, err := lines.head()
		if err != nil {
			return head{}, err
		}
		exact = exact && h.exact
		if h.status >= 200 {
			h.persistent = h.persistent && exact && !lines.bare
			return h, nil
		}
	}
	return head{}, errInformations
}

// lineReader reads lines, of a bounded number of bytes together.
type lineReader struct {
	*bufio.Reader
	left int
	bare bool // a line ended with a line feed alone
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
	line, ended := bytes.CutSuffix(line[:len(line)-1], []byte("\r"))
	r.bare = r.bare || !ended
	return line, nil
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
	return head{status: int(status), length: -1, exact: true, persistent: true}, old, ok
}

// parseField reads a line of a header or of trailers.
func parseField(line []byte) (name, value []byte, err error) {
	name, value, found := bytes.Cut(line, []byte(":"))
	value = bytes.Trim(value, " \t")
	if !found || len(name) == 0 || !isToken(name) || bytes.IndexByte(value, '\r') >= 0 || bytes.IndexByte(value, 0) >= 0 {
		return nil, nil, errHeader
	}
	return name, value, nil
}

// take reads a line of the header.
func (h *head) take(line []byte) error {
	name, value, err := parseField(line)
	if err != nil {
		return err
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
	h.exact = h.exact && h.length < 0
	h.length = int64(length)
	return nil
}

// framed is the head with what follows from all of its lines together. Where
// somebody between here and the server may think that the answer ends elsewhere,
// the connection ends with it: its next bytes could be taken for another job's.
func (h head) framed(old bool) (head, error) {
	if old && h.chunked {
		return head{}, errFraming // HTTP/1.0 has no chunks
	}
	switch {
	case h.status < 200:
		h.exact = h.exact && !h.chunked && h.length < 0
		h.chunked, h.length = false, 0
	case h.status == 204 || h.status == 304:
		// No body follows, whatever the header says: not every server keeps to that.
		h.exact, h.chunked, h.length = false, false, 0
	case h.chunked && h.length >= 0:
		h.exact, h.length = false, -1 // the chunks count
	case !h.chunked && h.length < 0:
		h.exact = false // the connection's end is the body's
	}
	h.persistent = h.persistent && h.exact && !old
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
