package http1

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// canary is a token that no error may hold.
const canary = "c0ffee11c0ffee22c0ffee33c0ffee44"

// server reads requests on raw connections and has a test answer them.
type server struct {
	url      string
	requests atomic.Int32
	accepted atomic.Int32
	open     atomic.Int32
}

// serve calls answer for each request, numbered from 1; the connection is closed
// when it gives false.
func serve(t testing.TB, answer func(c net.Conn, request int) bool) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return serveOn(t, listener, answer)
}

func serveOn(t testing.TB, listener net.Listener, answer func(c net.Conn, request int) bool) *server {
	s := &server{url: "http://" + listener.Addr().String()}
	var ended sync.WaitGroup
	var conns sync.Map
	ended.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			s.open.Add(1)
			conns.Store(c, nil)
			ended.Go(func() {
				defer s.open.Add(-1)
				defer c.Close()
				for r := bufio.NewReader(c); ; {
					if _, err := http.ReadRequest(r); err != nil || !answer(c, int(s.requests.Add(1))) {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		conns.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		ended.Wait()
	})
	return s
}

// always gives the same bytes for each request.
func always(answer string, more bool) func(net.Conn, int) bool {
	return func(c net.Conn, _ int) bool {
		_, _ = c.Write([]byte(answer))
		return more
	}
}

func client(t testing.TB, address string, opts Options) *Client {
	t.Helper()
	endpoint, err := url.Parse(address)
	require.NoError(t, err)
	require.True(t, Serves(endpoint))
	c := New(endpoint, opts)
	t.Cleanup(c.Close)
	return c
}

func soon() time.Time { return time.Now().Add(10 * time.Second) }

func get(c *Client) (Response, error) {
	return c.Get(context.Background(), soon(), "api_token="+canary, nil)
}

// failed asks and wants an error that tells nothing.
func failed(t *testing.T, c *Client) (Response, error) {
	t.Helper()
	response, err := get(c)
	require.Error(t, err)
	for _, secret := range []string{canary[:8], "api_token", "from-upstream"} {
		assert.NotContains(t, err.Error(), secret)
	}
	return response, err
}

func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, 10*time.Second, time.Millisecond, what)
}
