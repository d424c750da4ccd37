package transport

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"

	"jobgraph/graph/budget"
)

// socket is one connection. It has MaxOperations goroutines at most that run
// operations, one that pings, and serve's, which reads and writes all that is not an
// operation's: a client that does not read is not read any more.
type socket struct {
	WebSocket
	conn    *websocket.Conn
	below   net.Conn // conn's own
	slot    *connection
	exec    graphql.GraphExecutor
	request *http.Request // the upgrade's

	writeCtx context.Context // ends when nothing is to be written any more
	stop     func()          // ends the connection at once
	turn     chan struct{}   // holds one while a message is written
	permits  chan struct{}   // holds one for each operation's goroutine
	closing  atomic.Bool
	unread   atomic.Int64 // bytes that were written since the last pong

	// These belong to serve's goroutine.
	opCtx     context.Context // what Init made of the request's
	inited    bool
	initTimer *time.Timer

	running  sync.WaitGroup
	mu       sync.Mutex
	active   map[string]*subscription // those that the client has not completed
	open     int                      // operations whose last message has not been written
	draining bool                     // no new operations
	writers  int                      // messages that are written or wait for it

	pace budget.Pace // belongs to who has the turn
}

// subscription is one operation's place on the socket.
type subscription struct {
	id     string
	cancel context.CancelFunc
}

func newSocket(t WebSocket, conn *websocket.Conn, below net.Conn, r *http.Request, exec graphql.GraphExecutor) *socket {
	return &socket{WebSocket: t, conn: conn, below: below, exec: exec, request: r,
		turn: make(chan struct{}, 1), permits: make(chan struct{}, t.MaxOperations),
		active: map[string]*subscription{}}
}

// serve reads until the socket is closed, and then waits for its operations' ends.
func (s *socket) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer s.running.Wait()
	defer cancel()
	s.opCtx, s.writeCtx = ctx, ctx
	s.stop = func() {
		cancel()
		s.below.Close()
	}
	if s.conn.Subprotocol() != subprotocol {
		s.close(closeSubprotocol, "Subprotocol not acceptable")
		return
	}
	s.initTimer = time.AfterFunc(s.InitTimeout, func() {
		s.close(closeInitTimeout, "Connection initialisation timeout")
	})
	defer s.initTimer.Stop()
	defer context.AfterFunc(s.Connections.shutdown, s.drain)()
	for {
		kind, data, err := s.conn.Read(ctx)
		if err != nil {
			return
		}
		if code, reason := s.handle(kind, data); code != 0 {
			s.close(code, reason[:min(len(reason), maxReason)])
			return
		}
	}
}

// close does the closing handshake. Whoever does not answer it is not waited for long.
func (s *socket) close(code websocket.StatusCode, reason string) {
	s.closing.Store(true)
	_ = s.below.SetDeadline(time.Now().Add(s.Connections.options.DrainTimeout))
	s.conn.Close(code, reason)
}

// drain lets the operations end, the last of which closes. It is called at most once.
func (s *socket) drain() {
	s.shortenDeadline()
	s.mu.Lock()
	s.draining = true
	none := s.open == 0
	s.mu.Unlock()
	if none {
		s.close(closeGoingAway, "Going away")
	}
}

// keepAlive pings: whoever does not answer in time is gone. What was written before
// has to be read first, and has its own time.
func (s *socket) keepAlive(ctx context.Context) {
	ticker := time.NewTicker(s.PingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if len(s.turn) > 0 {
				continue // its deadline watches the message under way
			}
			unread := s.unread.Load()
			waiting, cancel := context.WithTimeout(ctx, s.WriteTimeout*time.Duration(1+unread/progress))
			err := s.conn.Ping(waiting)
			cancel()
			if err != nil {
				s.stop()
				return
			}
			s.unread.Add(-unread)
		case <-ctx.Done():
			return
		}
	}
}
