package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"
)

// FuzzResponse reads any bytes at all as an answer. Where net/http reads one as
// well, it must be the same.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		ok, "HTTP/1.0 200 OK\r\n\r\nok", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n" + ok,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n2\r\nok\r\n0\r\nX: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 2\r\nRetry-After: 7\r\nConnection: close\r\n\r\nok",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		const limit = 1000
		r := bufio.NewReader(bytes.NewReader(answer))
		h, err := readHead(r)
		if err != nil {
			return
		}
		body, err := readFramed(r, h, limit, func() error { return nil })
		if len(body) > limit {
			t.Fatalf("%d bytes of a body", len(body))
		}
		if err != nil {
			return
		}
		theirs := bufio.NewReader(bytes.NewReader(answer))
		response, err := http.ReadResponse(theirs, nil)
		for err == nil && response.StatusCode < 200 {
			response, err = http.ReadResponse(theirs, nil)
		}
		if err != nil {
			return
		}
		want, err := io.ReadAll(response.Body)
		if err != nil {
			return
		}
		if h.status != response.StatusCode || !bytes.Equal(body, want) || h.retryAfter != response.Header.Get("Retry-After") {
			t.Fatalf("%d %q %q, by net/http %d %q %q", h.status, h.retryAfter, body,
				response.StatusCode, response.Header.Get("Retry-After"), want)
		}
		if h.persistent && response.Close {
			t.Fatal("the connection would be used again")
		}
	})
}
