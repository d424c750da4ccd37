package http1

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func TestClient_TheRequest(t *testing.T) {
	asked := make(chan *http.Request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked <- r }))
	defer server.Close()
	response, err := get(client(t, server.URL+"/a%20b/info", Options{}))
	require.NoError(t, err)
	assert.Equal(t, 200, response.Status)
	r := <-asked
	assert.Equal(t, "/a%20b/info?api_token="+canary, r.RequestURI)
	assert.Equal(t, strings.TrimPrefix(server.URL, "http://"), r.Host)
	assert.Equal(t, http.Header{"Accept": {"application/json"}, "User-Agent": {"jobgraph"}}, r.Header)

	_, err = get(client(t, server.URL, Options{UserAgent: "jobgraph/v1"}))
	require.NoError(t, err)
	assert.Equal(t, []string{"jobgraph/v1"}, (<-asked).Header["User-Agent"])
}

func TestClient_Addresses(t *testing.T) {
	for endpoint, want := range map[string]string{
		"http://api.example": "api.example:80", "https://api.example:": "api.example:443",
		"http://[::1]/x": "[::1]:80", "https://api.example:8443": "api.example:8443",
	} {
		assert.Equal(t, want, client(t, endpoint, Options{}).address, endpoint)
	}
	for _, endpoint := range []string{"http://bücher.example", "http://[fe80::1%25eth0]"} {
		parsed, err := url.Parse(endpoint)
		require.NoError(t, err)
		assert.False(t, Serves(parsed), endpoint)
	}
}

func zipped(text string) string {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = io.WriteString(writer, text)
	_ = writer.Close()
	return packed.String()
}

func withLength(header, body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", header, len(body), body)
}

// TestClient_Framing asks twice for each form that an answer can have.
func TestClient_Framing(t *testing.T) {
	long := strings.Repeat("long", 50_000)
	for _, test := range []struct {
		name, answer, body string
		status             int
		reused             bool // the connection serves the second request, too
	}{
		{"a length", ok, "ok", 200, true},
		{"the same length twice", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\nok", "ok", 200, false},
		{"a long body", withLength("", long), long, 200, true},
		{"no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "", 200, true},
		{"bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "ok", 200, false},
		{"a bare line feed", "HTTP/1.1 200 OK\r\nX: 1\nContent-Length: 2\r\n\r\nok", "ok", 200, false},
		{"a long header", withLength("X-Policy: "+strings.Repeat("p", 30_000)+"\r\n", "ok"), "ok", 200, true},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n", "ok", 200, true},
		{"trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nX-B: 2\r\n\r\n", "ok", 200, true},
		{"chunks and a length", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok", 200, false},
		{"until the end", "HTTP/1.1 200 OK\r\n\r\nok", "ok", 200, false},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nok", "ok", 200, false},
		{"HTTP/1.0 with a length", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", 200, false},
		{"Connection: close", "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok", "ok", 200, false},
		{"204", "HTTP/1.1 204 No Content\r\n\r\n", "", 204, false},
		{"204 with a length of 0", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "", 204, false},
		{"204 with a body", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", "", 204, false},
		{"304", "HTTP/1.1 304 Not Modified\r\n\r\n", "", 304, false},
		{"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", "", 304, false},
		{"304 with chunks", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", 304, false},
		{"205", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", "", 205, true},
		{"a redirect", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "", 302, true},
		{"100 and 103", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok, "ok", 200, true},
		{"103 with a length", "HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n" + ok, "ok", 200, false},
		{"103 in chunks", "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n" + ok, "ok", 200, false},
		{"103 with a bare line feed", "HTTP/1.1 103 Early Hints\n\r\n" + ok, "ok", 200, false},
		{"gzip", withLength("Content-Encoding: GZIP\r\n", zipped(long)), long, 200, true},
		{"bytes beyond the length", ok + "more", "ok", 200, false},
		{"a line's end beyond the length", ok + "\r\n", "ok", 200, false},
		{"bytes beyond the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore", "ok", 200, false},
		{"a second answer", ok + ok, "ok", 200, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			ends := strings.HasSuffix(test.answer, "OK\r\n\r\nok") // by the connection's end alone
			s := serve(t, always(test.answer, !ends))
			c := client(t, s.url, Options{})
			for range 2 {
				response, err := get(c)
				require.NoError(t, err)
				assert.Equal(t, test.status, response.Status)
				assert.Equal(t, test.body, string(response.Body))
			}
			assert.EqualValues(t, map[bool]int{true: 1, false: 2}[test.reused], s.accepted.Load(), "connections")
		})
	}
}

func TestClient_RetryAfter(t *testing.T) {
	s := serve(t, always("HTTP/1.1 429 Slow Down\r\nretry-after:  7 \r\nContent-Length: 0\r\n\r\n", true))
	response, err := get(client(t, s.url, Options{}))
	require.NoError(t, err)
	assert.Equal(t, Response{Status: 429, RetryAfter: "7", Body: []byte{}}, response)
}

// TestClient_Malformed has heads that are none: no answer comes of them, and nothing more
// is asked on their connection.
func TestClient_Malformed(t *testing.T) {
	long := strings.Repeat("from-upstream", 10_000)
	for _, answer := range []string{
		"220 from-upstream ESMTP\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 \r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 -20 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n", "\r\n" + ok,
		"HTTP/1.1 200 OK\r\nfrom-upstream\r\n\r\n", "HTTP/1.1 200 OK\r\n: from-upstream\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX : from-upstream\r\n\r\n", "HTTP/1.1 200 OK\r\nX: 1\r\n from-upstream\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: from-upstream\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: 1", "HTTP/1.1 200 OK\r\nX: 1\r\n", "HTTP",
		"HTTP/1.1 200 OK\r\nX: " + long, "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+long[:100]+"\r\n", 1000), long,
		strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100) + ok,
	} {
		t.Run(fmt.Sprintf("%.40q", answer), func(t *testing.T) {
			s := serve(t, always(answer, false))
			c := client(t, s.url, Options{})
			for range 2 {
				response, _ := failed(t, c)
				assert.Zero(t, response.Status)
			}
			assert.EqualValues(t, 2, s.accepted.Load(), "connections")
		})
	}
}

func TestClient_AnEndlessLineIsNotReadWhole(t *testing.T) {
	const much = 1 << 20
	line := io.LimitReader(endless{}, much).(*io.LimitedReader)
	_, err := readHead(bufio.NewReader(line))
	assert.ErrorIs(t, err, errHeadTooLong)
	assert.Greater(t, line.N, int64(much-2*maxHead), "bytes that were not read")
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'H'
	}
	return len(b), nil
}

// TestClient_Bodies has bodies that are cut, broken or too long.
func TestClient_Bodies(t *testing.T) {
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	long := strings.Repeat("x", 1001)
	for _, test := range []struct {
		name, answer string
		want         error
	}{
		{"a length too long", "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nok", io.ErrUnexpectedEOF},
		{"nothing of a body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", io.ErrUnexpectedEOF},
		{"chunks that break off", chunked + "400\r\nfrom-upstream", io.ErrUnexpectedEOF},
		{"no last chunk", chunked + "2\r\nok\r\n", io.ErrUnexpectedEOF},
		{"no end of the trailers", chunked + "2\r\nok\r\n0\r\nX: 1\r\n", io.ErrUnexpectedEOF},
		{"a chunk's size that is none", chunked + "from-upstream\r\nok\r\n0\r\n\r\n", nil},
		{"gzip that is none", withLength("Content-Encoding: gzip\r\n", "from-upstream"), nil},
		{"gzip that breaks off", withLength("Content-Encoding: gzip\r\n", zipped("a short text")[:20]), io.ErrUnexpectedEOF},
		{"more than MaxBody", withLength("", long), ErrBodyTooLong},
		{"more than MaxBody in chunks", chunked + strings.Repeat("64\r\n"+long[:100]+"\r\n", 11) + "0\r\n\r\n", ErrBodyTooLong},
		{"more than MaxBody until the end", "HTTP/1.1 200 OK\r\n\r\n" + long, ErrBodyTooLong},
		{"a gzip bomb", withLength("Content-Encoding: gzip\r\n", zipped(strings.Repeat(" ", 100_000))), ErrBodyTooLong},
		{"an answer in the place of trailers", chunked + "2\r\nok\r\n0\r\n" + ok, errHeader},
		{"trailers that end with a line feed", chunked + "2\r\nok\r\n0\r\n\n", errHeader},
		{"a chunk longer than its size", chunked + "2\r\nokay\r\n0\r\n\r\n", nil},
		{"a chunk's size that no number holds", chunked + "fffffffffffffffff\r\nok", nil},
		{"a chunk's size with a sign", chunked + "+2\r\nok\r\n0\r\n\r\n", nil},
		{"a chunk that ends with a line feed", chunked + "2\nok\n0\n\n", nil},
		{"a head alone, as after HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 586\r\n\r\n", io.ErrUnexpectedEOF},
		{"bytes beyond a gzip text", withLength("Content-Encoding: gzip\r\n", zipped("ok")+"from-upstream"), nil},
		{"endless chunk extensions", chunked + strings.Repeat("1;"+long+"\r\nx\r\n", 500), nil},
		{"an endless chunk extension", chunked + "1;" + strings.Repeat(long, 100), nil},
		{"endless trailers", chunked + "0\r\n" + strings.Repeat("X: "+long+"\r\n", 100), errHeadTooLong},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, always(test.answer, false))
			c := client(t, s.url, Options{MaxBody: 1000})
			response, err := failed(t, c)
			assert.Equal(t, 200, response.Status)
			if test.want != nil {
				assert.ErrorIs(t, err, test.want)
			}
			_, _ = get(c)
			assert.EqualValues(t, 2, s.accepted.Load(), "connections")
		})
	}
}

// TestClient_ABrokenBodyEndsItsConnection has servers that go on as if all were well.
func TestClient_ABrokenBodyEndsItsConnection(t *testing.T) {
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, answer := range map[string]string{
		"a chunk's size that is none":  chunked + "from-upstream\r\n",
		"a chunk longer than its size": chunked + "2\r\nokay\r\n",
		"an answer for trailers":       chunked + "0\r\n" + ok,
		"gzip that is none":            withLength("Content-Encoding: gzip\r\n", "from-upstream"),
		"more than MaxBody":            withLength("", strings.Repeat("x", 1001)),
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, always(answer, true))
			c := client(t, s.url, Options{MaxBody: 1000})
			for range 2 {
				response, _ := failed(t, c)
				assert.Equal(t, 200, response.Status)
			}
			assert.EqualValues(t, 2, s.accepted.Load(), "connections")
			eventually(t, func() bool { return s.open.Load() == 0 }, "the connections' ends")
		})
	}
}

func TestClient_ABodyMayHaveAllThatIsAllowed(t *testing.T) {
	for _, size := range []int{1000, 100_000} {
		s := serve(t, always(withLength("", strings.Repeat("x", size)), true))
		response, err := get(client(t, s.url, Options{MaxBody: size}))
		require.NoError(t, err)
		assert.Len(t, response.Body, size)
	}
}

func TestClient_ADeadlineEndsTheCall(t *testing.T) {
	for name, begin := range map[string]string{"no answer": "", "in the head": "HTTP/1.1 2", "in the body": ok[:len(ok)-1]} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, always(begin, true))
			c := client(t, s.url, Options{})
			_, err := c.Get(t.Context(), time.Now().Add(20*time.Millisecond), "", nil)
			assert.Equal(t, context.DeadlineExceeded, err)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			_, err = c.Get(ctx, soon(), "", nil)
			assert.Equal(t, context.DeadlineExceeded, err)
			assert.EqualValues(t, 2, s.accepted.Load(), "connections")
			eventually(t, func() bool { return s.open.Load() == 0 }, "the connections' ends")
		})
	}
}

func TestClient_CancellationEndsTheCall(t *testing.T) {
	for name, begin := range map[string]string{"no answer": "", "in the head": "HTTP/1.1 2", "in the body": ok[:len(ok)-1]} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			s := serve(t, func(c net.Conn, request int) bool {
				if request == 1 {
					return always(ok, true)(c, request)
				}
				_, _ = c.Write([]byte(begin))
				cancel()
				return true
			})
			c := client(t, s.url, Options{})
			_, err := get(c)
			require.NoError(t, err)
			_, err = c.Get(ctx, time.Now().Add(time.Hour), "", nil)
			assert.Equal(t, context.Canceled, err)
			eventually(t, func() bool { return s.open.Load() == 0 }, "the connection's end")
			assert.EqualValues(t, 2, s.requests.Load(), "a call that was left is not tried again")
			assert.EqualValues(t, 1, s.accepted.Load())
		})
	}
}

func TestClient_NothingIsAskedAfterTheEnd(t *testing.T) {
	s := serve(t, always(ok, true))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := client(t, s.url, Options{})
	_, err := c.Get(ctx, soon(), "", nil)
	assert.Equal(t, context.Canceled, err)
	_, err = c.Get(t.Context(), past, "", nil)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Zero(t, s.requests.Load())
}
