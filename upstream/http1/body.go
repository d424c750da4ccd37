package http1

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net/http/httputil"
)

// atOnce is how long a body may be, in bytes, for room to be made as soon as its
// length is told; a longer one gets it as it comes.
const atOnce = 64 << 10

// readBody reads the whole body, what came of it where there is an error.
func readBody(r *bufio.Reader, h head, limit int, large func() error) ([]byte, error) {
	body, err := readFramed(r, h, limit, large)
	if err != nil || !h.gzip || len(body) == 0 {
		return body, err
	}
	plain, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return ReadAll(plain, limit, large)
}

// readFramed reads what the head says, and no more.
func readFramed(r *bufio.Reader, h head, limit int, large func() error) ([]byte, error) {
	switch {
	case h.chunked:
		body, err := ReadAll(httputil.NewChunkedReader(r), limit, large)
		if err != nil {
			return body, err
		}
		return body, skipTrailers(r)
	case h.length < 0:
		return ReadAll(r, limit, large)
	case h.length > int64(limit):
		return nil, ErrBodyTooLong
	case h.length <= atOnce:
		body := make([]byte, h.length)
		n, err := io.ReadFull(r, body)
		return body[:n], truncated(err)
	}
	body, err := ReadAll(io.LimitReader(r, h.length), limit, large)
	if err == nil && int64(len(body)) < h.length {
		err = io.ErrUnexpectedEOF
	}
	return body, err
}

// ReadAll reads to the end, and gives up where that is beyond the limit, or where large
// is an error, which is asked before there is room for more than the first 64 KiB.
func ReadAll(r io.Reader, limit int, large func() error) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, min(atOnce, int64(limit)+1)))
	if err == nil && len(body) == atOnce && atOnce <= limit {
		if err := large(); err != nil {
			return body, err
		}
		body = append(make([]byte, 0, limit+1), body...)
		for err == nil && len(body) <= limit {
			var n int
			n, err = r.Read(body[len(body) : limit+1])
			body = body[:len(body)+n]
		}
		if err == io.EOF {
			err = nil
		}
	}
	if len(body) > limit {
		return nil, ErrBodyTooLong
	}
	return body, err
}

// skipTrailers reads to the empty line that ends a chunked answer.
func skipTrailers(r *bufio.Reader) error {
	lines := lineReader{Reader: r, left: maxHead}
	for {
		line, err := lines.line()
		switch {
		case err != nil:
			return err
		case lines.bare:
			return errHeader // as the chunks before it, which end with both characters
		case len(line) == 0:
			return nil
		}
		if _, _, err := parseField(line); err != nil {
			return err // such as an answer that begins where the trailers should end
		}
	}
}

// truncated is what an end before the body's own is called.
func truncated(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
