package transport

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"time"

	"jobgraph/graph/clientaddr"
)

// ConnectionOptions bound the WebSockets and event streams of all clients together.
type ConnectionOptions struct {
	// Max is how many are open at the same time; 0: 1,000.
	Max int
	// MaxPerClient is how many of them one client address has, an IPv6 network of 64
	// bits being one; 0: no bound but Max.
	MaxPerClient int
	// DrainTimeout is how long a reader may take for a message, and for the closing
	// handshake, once its connection is to end; 0: 2 s.
	DrainTimeout time.Duration
}

// Connections counts the connections that stay open, and ends them all. A connection
// is pending until its client has said all that it has to say first, see [pending],
// and live from then on.
type Connections struct {
	options  ConnectionOptions
	shutdown context.Context
	end      context.CancelFunc

	mu        sync.Mutex
	live      int
	perClient map[clientaddr.Client]int // the live ones; no zeros
	pending   pending
	drained   chan struct{} // closed on shutdown, when none is left
}

// NewConnections returns Connections of which none is open.
func NewConnections(options ConnectionOptions) *Connections {
	options.Max = cmp.Or(options.Max, 1000)
	options.DrainTimeout = cmp.Or(options.DrainTimeout, 2*time.Second)
	ctx, cancel := context.WithCancel(context.Background())
	return &Connections{options: options, shutdown: ctx, end: cancel,
		perClient: map[clientaddr.Client]int{}, drained: make(chan struct{})}
}

// Shutdown ends all connections: subscriptions complete, queries in flight are
// answered, and no new connection is taken. It returns when none is left, or with
// ctx's error.
func (c *Connections) Shutdown(ctx context.Context) error {
	c.mu.Lock()
	if c.idle() && c.shutdown.Err() == nil {
		close(c.drained)
	}
	c.end()
	c.mu.Unlock()
	select {
	case <-c.drained:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Open is how many connections are live.
func (c *Connections) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.live
}

func (c *Connections) idle() bool { return c.live == 0 && len(c.pending) == 0 }

// connection is one WebSocket or event stream, from begin or acquire to release.
type connection struct {
	owner  *Connections
	client clientaddr.Client
	live   bool
	close  func() // ends a pending one at once
}

// acquire takes a place among the live connections, for a request that is whole.
func (c *Connections) acquire(client clientaddr.Client) (*connection, *tooMany) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if full := c.full(client); full != nil {
		return nil, full
	}
	conn := &connection{owner: c, client: client}
	conn.enter()
	return conn, nil
}

// check is for a client that may be told early that it would get no place.
func (c *Connections) check(client clientaddr.Client) *tooMany {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.full(client)
}

// begin adds a pending connection, which may cost another one its place: that one is
// closed. close is called with a lock held and must not wait.
func (c *Connections) begin(client clientaddr.Client, close func()) (conn *connection, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shutdown.Err() != nil {
		return nil, false
	}
	conn = &connection{owner: c, client: client, close: close}
	c.pending = c.pending.add(conn)
	return conn, true
}

// promote makes a pending connection a live one. It must be released all the same
// where it was refused.
func (conn *connection) promote() *tooMany {
	c := conn.owner
	c.mu.Lock()
	defer c.mu.Unlock()
	if full := c.full(conn.client); full != nil {
		return full // and it stays pending until it is closed
	}
	if !c.pending.remove(conn) {
		return tooManyPending // it has been evicted
	}
	conn.enter()
	return nil
}

// release is called once, at the connection's end.
func (conn *connection) release() {
	c := conn.owner
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn.live {
		c.live--
		if c.perClient[conn.client]--; c.perClient[conn.client] == 0 {
			delete(c.perClient, conn.client)
		}
	} else if !c.pending.remove(conn) {
		return // evicted: it has been counted out
	}
	c.wake()
}

// full, enter and wake need the lock.
func (c *Connections) full(client clientaddr.Client) *tooMany {
	switch most := c.options.MaxPerClient; {
	case c.live >= c.options.Max, c.shutdown.Err() != nil:
		return tooManyConnections
	case most > 0 && c.perClient[client] >= most:
		return tooManyOfClient
	default:
		return nil
	}
}

func (conn *connection) enter() {
	conn.live = true
	conn.owner.live++
	conn.owner.perClient[conn.client]++
}

func (c *Connections) wake() {
	if c.idle() && c.shutdown.Err() != nil {
		close(c.drained)
	}
}

// tooMany is what a client is told that gets no place. The text fits a close frame.
type tooMany struct {
	status int
	text   string
}

var (
	tooManyConnections = &tooMany{http.StatusServiceUnavailable, "No more connections are taken. Try again later."}
	tooManyOfClient    = &tooMany{http.StatusTooManyRequests, "Your address has as many connections as one may have. Close one, or put more operations into one."}
	tooManyPending     = &tooMany{http.StatusServiceUnavailable, "Too many connections are being opened. Try again."}
)

func (t tooMany) refuse(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "5")
	http.Error(w, t.text, t.status)
}
