package transport

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
)

// socket is one connection.
type socket struct {
	WebSocket
	conn    *websocket.Conn
	exec    graphql.GraphExecutor
	request *http.Request   // the upgrade's
	writing context.Context // ends when nothing is to be written any more

	// These belong to serve's goroutine.
	operations context.Context // what Init made of the request's
	inited     bool
	initTimer  *time.Timer

	running    sync.WaitGroup
	mu         sync.Mutex
	active     map[string]*subscription
	unfinished int  // operations whose last message has not been written
	leaving    bool // no new operations
}

// subscription is one operation's place on the socket.
type subscription struct {
	id     string
	cancel context.CancelFunc
}

func newSocket(t WebSocket, conn *websocket.Conn, r *http.Request, exec graphql.GraphExecutor) *socket {
	return &socket{WebSocket: t, conn: conn, exec: exec, request: r, active: map[string]*subscription{}}
}

// serve reads until the socket is closed, and then waits for its operations' ends.
func (s *socket) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer s.running.Wait()
	defer cancel()
	s.operations, s.writing = ctx, ctx
	s.initTimer = time.AfterFunc(s.InitTimeout, func() {
		s.conn.Close(closeInitTimeout, "Connection initialisation timeout")
	})
	defer s.initTimer.Stop()
	defer context.AfterFunc(s.Connections.leaving, s.leave)()
	s.running.Go(func() { s.keepAlive(ctx) })
	for {
		kind, data, err := s.conn.Read(ctx)
		if err != nil {
			return
		}
		if code, reason := s.handle(kind, data); code != 0 {
			s.conn.Close(code, reason[:min(len(reason), maxReason)])
			return
		}
	}
}

// leave lets the operations end and says goodbye. It is called at most once.
func (s *socket) leave() {
	s.mu.Lock()
	s.leaving = true
	none := s.unfinished == 0
	s.mu.Unlock()
	if none {
		s.conn.Close(closeGoingAway, "Going away")
	}
}

// write closes the socket of a reader that has stopped reading.
func (s *socket) write(m message) bool {
	data, err := json.Marshal(m)
	if err != nil {
		return false
	}
	timeout := s.WriteTimeout
	if s.Connections.leaving.Err() != nil {
		timeout = min(timeout, farewell)
	}
	ctx, cancel := context.WithTimeout(s.writing, timeout)
	defer cancel()
	// A leaving process does not wait as long for a write that is under way.
	defer context.AfterFunc(s.Connections.leaving, func() { time.AfterFunc(farewell, cancel) })()
	if err := s.conn.Write(ctx, websocket.MessageText, data); err != nil {
		s.conn.CloseNow()
		return false
	}
	return true
}

// keepAlive pings: whoever does not answer in time is gone.
func (s *socket) keepAlive(ctx context.Context) {
	ticker := time.NewTicker(s.PingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			waiting, cancel := context.WithTimeout(ctx, s.WriteTimeout)
			err := s.conn.Ping(waiting)
			cancel()
			if err != nil {
				s.conn.CloseNow()
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
