package web

import (
	"container/heap"
	"container/ring"
	"context"
	"net"
	"net/http"
	"sync"

	"jobgraph/graph/clientaddr"
)

// defaultMaxConnections bounds the TCP connections of one address.
const defaultMaxConnections = 4096

// connLimit bounds the connections that net/http serves. A connection waits until a
// request's head has come whole, and again once the answer has been sent; in between it
// is active, and never closed here. Places are not refused but given on: beyond the
// bound the client that has the most waiting connections loses its oldest one. Three
// quarters of the bound are one client's, so that nobody holds all places with active
// ones. A hijacked connection is not net/http's any more, and is bounded elsewhere.
type connLimit struct {
	max, maxPerClient int
	observeEviction   func()

	mu      sync.Mutex
	conns   map[net.Conn]*limitedConn
	clients map[clientaddr.Client]*connClient
	order   clientHeap // all of clients
	clock   uint64     // counts what begins to wait
}

// connClient is a client with a connection.
type connClient struct {
	address clientaddr.Client
	index   int // in the heap
	conns   int
	waiting int
	queue   ring.Ring // sentinel of the waiting ones, the oldest first
}

// limitedConn is a connection in the table.
type limitedConn struct {
	net.Conn
	client  *connClient
	waiting bool
	since   uint64    // the clock's, where it waits
	node    ring.Ring // in the client's queue, where it waits
}

func newConnLimit(most int, observeEviction func()) *connLimit {
	return &connLimit{max: most, maxPerClient: most - most/4, observeEviction: observeEviction,
		conns: map[net.Conn]*limitedConn{}, clients: map[clientaddr.Client]*connClient{}}
}

type connKey struct{}

// install has the server's connections counted. To net/http one is active from the
// first byte on; here it is from the handler's call: a slow head takes nobody's place.
func (l *connLimit) install(server *http.Server) {
	server.ConnState = l.changed
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, conn)
	}
	next := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(connKey{}).(net.Conn)
		l.activate(conn)
		next.ServeHTTP(w, r)
	})
}

func (l *connLimit) changed(conn net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.conns[conn] // nil: new, or it has been evicted
	switch {
	case state == http.StateNew:
		l.add(conn)
	case c == nil:
	case state == http.StateIdle:
		l.wait(c)
	case state == http.StateHijacked, state == http.StateClosed:
		l.remove(c)
	}
}

func (l *connLimit) activate(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.conns[conn]; c != nil {
		l.unwait(c)
	}
}

// What follows needs the lock.

// add evicts where one is too many. Who is to lose one has one: the new one waits.
func (l *connLimit) add(conn net.Conn) {
	address := clientaddr.Of(conn.RemoteAddr().String())
	client := l.clients[address]
	if client == nil {
		client = &connClient{address: address}
		l.clients[address] = client
		heap.Push(&l.order, client)
	}
	client.conns++
	c := &limitedConn{Conn: conn, client: client}
	c.node.Value = c
	l.conns[conn] = c
	l.wait(c)
	switch {
	case client.conns > l.maxPerClient:
		l.evict(client.oldest())
	case len(l.conns) > l.max:
		l.evict(l.order[0].oldest())
	}
}

// evict closes a connection, which does not wait for anything.
func (l *connLimit) evict(c *limitedConn) {
	l.remove(c)
	l.observeEviction()
	_ = c.Close()
}

func (l *connLimit) remove(c *limitedConn) {
	l.unwait(c)
	delete(l.conns, c.Conn)
	if c.client.conns--; c.client.conns == 0 {
		heap.Remove(&l.order, c.client.index)
		delete(l.clients, c.client.address)
	}
}

func (l *connLimit) wait(c *limitedConn) {
	if c.waiting {
		return
	}
	l.clock++
	c.waiting, c.since = true, l.clock
	c.client.waiting++
	c.client.queue.Prev().Link(&c.node)
	heap.Fix(&l.order, c.client.index)
}

func (l *connLimit) unwait(c *limitedConn) {
	if !c.waiting {
		return
	}
	c.waiting = false
	c.client.waiting--
	c.node.Prev().Unlink(1)
	heap.Fix(&l.order, c.client.index)
}

// oldest is of those that wait, of which there is one at least.
func (c *connClient) oldest() *limitedConn { return c.queue.Next().Value.(*limitedConn) }

// clientHeap has the client first that has the most waiting connections; of equal ones
// the one whose oldest waits longest.
type clientHeap []*connClient

func (h clientHeap) Len() int { return len(h) }

func (h clientHeap) Less(i, j int) bool {
	if h[i].waiting != h[j].waiting || h[i].waiting == 0 {
		return h[i].waiting > h[j].waiting
	}
	return h[i].oldest().since < h[j].oldest().since
}

func (h clientHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *clientHeap) Push(client any) {
	c := client.(*connClient)
	c.index = len(*h)
	*h = append(*h, c)
}

func (h *clientHeap) Pop() any {
	last := len(*h) - 1
	client := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return client
}
