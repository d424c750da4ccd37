package http1

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// idle has one answer leave one idle connection behind.
func idle(t *testing.T, c *Client) {
	t.Helper()
	_, err := get(c)
	require.NoError(t, err)
	require.Equal(t, 1, c.idle.len())
}

// len is how many connections are idle.
func (p *pool) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle)
}

// arrived says whether something has come on the idle connection: the network is
// waited for, and then the client has to see it by itself.
func (c *Client) arrived() bool {
	c.idle.mu.Lock()
	defer c.idle.mu.Unlock()
	waiting := c.idle.idle[0]
	return waiting.SetDeadline(soon()) == nil && !waiting.peeker.quiet()
}

func TestReuse_AConnectionClosedWhileIdleIsNotUsed(t *testing.T) {
	closing := make(chan net.Conn, 2)
	s := serve(t, func(c net.Conn, request int) bool {
		_, _ = c.Write([]byte(ok))
		closing <- c
		return true
	})
	c := client(t, s.url, Options{})
	idle(t, c)
	(<-closing).Close()
	eventually(t, c.arrived, "the end of the idle connection")
	response, err := get(c)
	require.NoError(t, err)
	assert.Equal(t, "ok", string(response.Body))
	assert.EqualValues(t, 2, s.requests.Load())
	assert.Equal(t, 1, c.idle.len())
}

// TestReuse_AnAnswerThatNobodyAskedForIsNobodys has upstream answer twice.
func TestReuse_AnAnswerThatNobodyAskedForIsNobodys(t *testing.T) {
	conns := make(chan net.Conn, 2)
	s := serve(t, func(c net.Conn, request int) bool {
		_, _ = c.Write([]byte(ok))
		conns <- c
		return true
	})
	c := client(t, s.url, Options{})
	idle(t, c)
	_, err := (<-conns).Write([]byte(strings.Replace(ok, "\r\n\r\nok", "\r\n\r\nno", 1)))
	require.NoError(t, err)
	eventually(t, c.arrived, "the second answer")
	response, err := get(c)
	require.NoError(t, err)
	assert.Equal(t, "ok", string(response.Body))
	assert.EqualValues(t, 2, s.accepted.Load(), "connections")
}

// TestReuse_AConnectionClosedByTheRequest has upstream close a connection as the next
// request comes: once that is tried again, on a new connection, and no oftener.
func TestReuse_AConnectionClosedByTheRequest(t *testing.T) {
	var broken sync.Map
	s := serve(t, func(c net.Conn, request int) bool {
		if request == 2 {
			broken.Store(c, nil)
			return false
		}
		return always(ok, true)(c, request)
	})
	c := client(t, s.url, Options{})
	idle(t, c)
	response, err := get(c)
	require.NoError(t, err)
	assert.Equal(t, "ok", string(response.Body))
	assert.EqualValues(t, 3, s.requests.Load())
	assert.EqualValues(t, 2, s.accepted.Load())
}

func TestReuse_ANewConnectionThatFailsIsAnError(t *testing.T) {
	s := serve(t, func(c net.Conn, request int) bool {
		return request == 1 && always(ok, true)(c, request)
	})
	c := client(t, s.url, Options{})
	idle(t, c)
	response, _ := failed(t, c)
	assert.Zero(t, response.Status)
	assert.EqualValues(t, 3, s.requests.Load(), "the first, the second and its one repetition")
	_, _ = failed(t, c)
	assert.EqualValues(t, 4, s.requests.Load())
}

func TestReuse_AnAnswerThatHasBegunIsNotAskedForAgain(t *testing.T) {
	s := serve(t, func(c net.Conn, request int) bool {
		if request == 1 {
			return always(ok, true)(c, request)
		}
		return always("HTTP/1.1 200 OK\r\nContent-", false)(c, request)
	})
	c := client(t, s.url, Options{})
	idle(t, c)
	_, _ = failed(t, c)
	assert.EqualValues(t, 2, s.requests.Load())
}

func TestReuse_NoServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener.Close()
	response, _ := failed(t, client(t, "http://"+listener.Addr().String(), Options{}))
	assert.Zero(t, response.Status)
}

// TestReuse_ThePool has ten calls at once where three connections may be idle.
func TestReuse_ThePool(t *testing.T) {
	var together sync.WaitGroup
	together.Add(10)
	s := serve(t, func(c net.Conn, request int) bool {
		if request <= 10 {
			together.Done()
			together.Wait()
		}
		return always(ok, true)(c, request)
	})
	c := client(t, s.url, Options{MaxIdle: 3, IdleTimeout: 300 * time.Millisecond})
	var calls sync.WaitGroup
	for range 10 {
		calls.Go(func() {
			_, err := get(c)
			assert.NoError(t, err)
		})
	}
	calls.Wait()
	assert.Equal(t, 3, c.idle.len())
	eventually(t, func() bool { return s.open.Load() <= 3 }, "the ends of those that are too many")
	eventually(t, func() bool { return s.open.Load() == 0 }, "the ends of those that are old")
	assert.Zero(t, c.idle.len())
	_, err := get(c)
	require.NoError(t, err)
	eventually(t, func() bool { return s.open.Load() == 0 }, "the end of what was idle later")
}

// TestReuse_TheLastUsedIsUsedNext keeps the connections few that a small load needs.
func TestReuse_TheLastUsedIsUsedNext(t *testing.T) {
	p := newPool(3, time.Hour)
	defer p.close()
	a, b := &conn{Conn: &net.TCPConn{}}, &conn{Conn: &net.TCPConn{}}
	p.give(a)
	p.give(b)
	assert.Same(t, b, p.take())
	assert.Same(t, a, p.take())
	assert.Nil(t, p.take())
}

func TestReuse_Close(t *testing.T) {
	answering, release := make(chan struct{}), make(chan struct{})
	s := serve(t, func(c net.Conn, request int) bool {
		if request == 2 {
			close(answering)
			<-release
		}
		return always(ok, true)(c, request)
	})
	c := client(t, s.url, Options{})
	idle(t, c)
	done := make(chan error)
	go func() { _, err := get(c); done <- err }()
	<-answering
	c.Close()
	close(release)
	assert.NoError(t, <-done, "what is under way may end")
	eventually(t, func() bool { return s.open.Load() == 0 }, "the connections' ends")
	assert.Zero(t, c.idle.len())
}
