package web_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/serve/web"
)

// Clients by their addresses, all of this machine.
const alice, bob, carol = "127.0.0.2", "127.0.0.1", "127.0.0.3"

// caller is one TCP connection.
type caller struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func call(t *testing.T, from, address string) *caller {
	t.Helper()
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", address)
	if err != nil {
		t.Skipf("this machine has no address %s: %v", from, err)
	}
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	return &caller{t, conn, bufio.NewReader(conn)}
}

// callMany gives connections in the order in which the server accepts them.
func callMany(t *testing.T, n int, from, address string) []*caller {
	t.Helper()
	callers := make([]*caller, n)
	for i := range callers {
		callers[i] = call(t, from, address)
	}
	return callers
}

func (c *caller) send(path string) {
	_, _ = fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path) // the server may have closed
}

// status is an answer's; 0: the server closed instead.
func (c *caller) status() int {
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		assert.NotErrorIs(c.t, err, os.ErrDeadlineExceeded)
		return 0
	}
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(c.t, err)
	return response.StatusCode
}

func (c *caller) ask(path string) int {
	c.send(path)
	return c.status()
}

// statuses asks over each connection that is not expected to be closed.
func statuses(callers []*caller, expected []int) []int {
	all := make([]int, len(callers))
	for i, c := range callers {
		if expected[i] != 0 {
			all[i] = c.ask("/healthz")
		}
	}
	return all
}

// waitClosed waits for the server, which accepts when it comes to it.
func waitClosed(callers []*caller, expected []int) {
	for i, c := range callers {
		if expected[i] == 0 {
			assert.Zero(c.t, c.status())
		}
	}
}

func limited(t *testing.T, most int, handler http.Handler) (address string) {
	return serve(t, handler, web.Server{MaxConnections: most})
}

func TestConnLimit_OneClientsIdleConnectionsShutNobodyOut(t *testing.T) {
	for name, first := range map[string]func(c *caller){
		"that say nothing":          func(*caller) {},
		"with half a request":       func(c *caller) { _, _ = io.WriteString(c.conn, "GET /healthz HTTP/1.1\r\nHos") },
		"that have had an answer":   func(c *caller) { assert.Equal(c.t, http.StatusOK, c.ask("/healthz")) },
		"that have had two answers": func(c *caller) { c.ask("/healthz"); assert.Equal(c.t, http.StatusOK, c.ask("/healthz")) },
	} {
		t.Run(name, func(t *testing.T) {
			address := limited(t, 8, http.NotFoundHandler())
			neighbour := call(t, bob, address)
			require.Equal(t, http.StatusOK, neighbour.ask("/healthz"))
			for range 50 {
				first(call(t, alice, address))
				assert.Equal(t, http.StatusOK, neighbour.ask("/healthz"), "who was there")
				assert.Equal(t, http.StatusOK, call(t, bob, address).ask("/healthz"), "who comes")
			}
		})
	}
}

func TestConnLimit_TheOldestOfWhoHasTheMostIsClosed(t *testing.T) {
	const ok = http.StatusOK
	for name, test := range map[string]struct {
		most, alices, bobs, carols int
		alice, bob, carol          []int // 0: closed
	}{
		"as many as may be":            {8, 6, 2, 0, []int{ok, ok, ok, ok, ok, ok}, []int{ok, ok}, []int{}},
		"one client beyond its part":   {8, 8, 0, 0, []int{0, 0, ok, ok, ok, ok, ok, ok}, []int{}, []int{}},
		"all beyond the bound":         {8, 6, 3, 0, []int{0, ok, ok, ok, ok, ok}, []int{ok, ok, ok}, []int{}},
		"it goes on until they differ": {8, 5, 5, 0, []int{0, ok, ok, ok, ok}, []int{0, ok, ok, ok, ok}, []int{}},
		"of equals the one who waits":  {4, 2, 2, 1, []int{0, ok}, []int{ok, ok}, []int{ok}},
		"one place":                    {1, 1, 1, 1, []int{0}, []int{0}, []int{ok}},
	} {
		t.Run(name, func(t *testing.T) {
			var evicted atomic.Int64
			address := serve(t, http.NotFoundHandler(), web.Server{MaxConnections: test.most, ObserveEviction: func() { evicted.Add(1) }})
			alices, bobs := callMany(t, test.alices, alice, address), callMany(t, test.bobs, bob, address)
			carols := callMany(t, test.carols, carol, address)
			waitClosed(alices, test.alice)
			waitClosed(bobs, test.bob)
			assert.Equal(t, test.carol, statuses(carols, test.carol))
			assert.Equal(t, test.alice, statuses(alices, test.alice))
			assert.Equal(t, test.bob, statuses(bobs, test.bob))
			closed := 0
			for _, status := range slices.Concat(test.alice, test.bob, test.carol) {
				if status == 0 {
					closed++
				}
			}
			assert.EqualValues(t, closed, evicted.Load())
		})
	}
}

// Half of those who ask are idle connections that were there before.
func TestConnLimit_WhoIsBeingAnsweredIsNotClosed(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	address := limited(t, 8, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-answer
	}))
	alices, bobs := callMany(t, 6, alice, address), callMany(t, 2, bob, address)
	active := append(alices, bobs...)
	for i, c := range active {
		if i%2 == 0 {
			require.Equal(t, http.StatusOK, c.ask("/healthz"))
		}
		c.send("/graphql")
		<-asked
	}
	for _, from := range []string{alice, bob, carol} {
		assert.Zero(t, call(t, from, address).status(), "there is no place for %s", from)
	}
	close(answer)
	for _, c := range active {
		assert.Equal(t, http.StatusOK, c.status())
	}
	require.Eventually(t, func() bool { return call(t, carol, address).ask("/healthz") == http.StatusOK },
		time.Minute, time.Millisecond, "there is one again as soon as one of them waits")
}

// One client cannot hold all places with requests under way.
func TestConnLimit_AQuarterIsForOthers(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	defer close(answer)
	address := limited(t, 8, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-answer
	}))
	for range 6 {
		call(t, alice, address).send("/graphql")
		<-asked
	}
	neighbour := call(t, bob, address)
	for range 10 {
		assert.Zero(t, call(t, alice, address).status())
		assert.Equal(t, http.StatusOK, neighbour.ask("/healthz"))
	}
	assert.Equal(t, http.StatusOK, call(t, carol, address).ask("/healthz"))
}

func TestConnLimit_NothingIsLeftInTheTable(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hijack":
			conn, _, err := http.NewResponseController(w).Hijack()
			assert.NoError(t, err)
			t.Cleanup(func() { conn.Close() })
		case "/panic":
			panic(http.ErrAbortHandler)
		}
	}))
	open := web.LimitConnections(server.Config, 16)
	server.Start()
	defer server.Close()
	address := server.Listener.Addr().String()
	for _, from := range []string{alice, bob, carol} {
		for i, path := range []string{"/hijack", "/panic", "/", "/", "/", "", "", "", "/hijack", "/hijack"} {
			c := call(t, from, address)
			if path != "" {
				c.send(path)
			}
			if i%2 == 0 && path != "/hijack" {
				c.conn.Close()
			}
		}
	}
	assert.Equal(t, http.StatusOK, call(t, carol, address).ask("/"))
	conns, _ := open()
	assert.NotZero(t, conns)
	server.CloseClientConnections()
	server.Config.SetKeepAlivesEnabled(false)
	require.Eventually(t, func() bool {
		conns, clients := open()
		return conns == 0 && clients == 0
	}, time.Minute, time.Millisecond)
}
