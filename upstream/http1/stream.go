package http1

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"time"
)

// maxRefusal bounds the body of an answer that is not streamed, as it is not 200.
const maxRefusal = 1 << 20

// ErrRead is what [Client.Stream] fails with beside a status where read failed, or ended
// before the body did.
var ErrRead = errors.New("the body was not read to its end")

// Stream is Get that hands the body of a 200 to read as it comes, decompressed, no more of
// it than Options.MaxBody; any other answer has its body as with Get. The connection is used
// again only where read has read to the end. The error is [ErrRead] where read failed by itself, and
// otherwise the body's own, such as [io.ErrUnexpectedEOF] or [ErrBodyTooLong].
func (c *Client) Stream(ctx context.Context, deadline time.Time, query string, read func(io.Reader) error) (Response, error) {
	return c.do(ctx, deadline, query, func(r *bufio.Reader, h head) ([]byte, error) {
		if h.status != http.StatusOK {
			return readBody(r, h, min(c.maxBody, maxRefusal), func() error { return nil })
		}
		return nil, stream(r, h, c.maxBody, read)
	})
}

func stream(r *bufio.Reader, h head, limit int, read func(io.Reader) error) error {
	framed := framedBody(r, h)
	var body io.Reader = framed
	if h.gzip {
		plain, err := gzip.NewReader(framed)
		if err != nil {
			return truncated(err)
		}
		body = plain
	}
	return ReadStream(body, limit, read)
}

// ReadStream has read read the body, which may have so many bytes, and says how that ended.
func ReadStream(body io.Reader, limit int, read func(io.Reader) error) error {
	bounded := &boundedReader{reader: body, left: int64(limit)}
	err := read(bounded)
	switch {
	case bounded.err == io.EOF && err == nil:
		return nil
	case bounded.err != nil && bounded.err != io.EOF:
		return bounded.err
	default:
		return ErrRead
	}
}

// boundedReader is an error beyond its bound, and remembers what reading ended with.
type boundedReader struct {
	reader io.Reader
	left   int64
	err    error
}

func (b *boundedReader) Read(to []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	// One byte more than is allowed tells a body that just fits from one that does not.
	if int64(len(to)) > b.left+1 {
		to = to[:b.left+1]
	}
	n, err := b.reader.Read(to)
	if b.left -= int64(n); b.left < 0 {
		n, err = n-1, ErrBodyTooLong
	}
	b.err = err
	return n, err
}

// framedBody is what the head says, and no more. An end before that is
// [io.ErrUnexpectedEOF].
func framedBody(r *bufio.Reader, h head) io.Reader {
	switch {
	case h.chunked:
		return &chunkedBody{httputil.NewChunkedReader(r), r}
	case h.length < 0:
		return r
	default:
		return &sizedBody{r, h.length}
	}
}

type chunkedBody struct {
	chunks io.Reader
	r      *bufio.Reader
}

func (b *chunkedBody) Read(to []byte) (int, error) {
	n, err := b.chunks.Read(to)
	if err == io.EOF {
		if failed := skipTrailers(b.r); failed != nil {
			err = failed
		}
	}
	return n, err
}

type sizedBody struct {
	r    *bufio.Reader
	left int64
}

func (b *sizedBody) Read(to []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.r.Read(to[:min(int64(len(to)), b.left)])
	b.left -= int64(n)
	return n, truncated(err)
}
