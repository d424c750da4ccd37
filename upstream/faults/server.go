// Package faults is a job API that fails in every way that a server or a network
// can: the tests of JobGraph run on it. It writes to raw sockets, because
// net/http's server refuses to send most of what is needed.
package faults

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
)

// Server answers GET /api/job/info and /api/job/list: a job for each id that fault has no fault for, and the list that
// [Listed] names.
type Server struct {
	listener net.Listener
	fault    func(id string) *Fault
	healthy  atomic.Bool
	secret   atomic.Value // a string; what Repeat was given
	requests atomic.Int64
	ended    sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]bool
	asked  map[string]int
}

const listPath = "/api/job/list"

// NewServer listens on 127.0.0.1. fault says what goes wrong with an id, nil
// where nothing does; it is called by many connections at once.
func NewServer(fault func(id string) *Fault) (*Server, error) {
	return NewServerAt("127.0.0.1:0", fault)
}

// NewServerAt is NewServer at an address, such as that of one that was closed.
func NewServerAt(address string, fault func(id string) *Fault) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &Server{listener: listener, fault: fault, conns: map[net.Conn]bool{}, asked: map[string]int{}}
	s.ended.Go(s.accept)
	return s, nil
}

// Addr is host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL is the base address.
func (s *Server) URL() string { return "http://" + s.Addr() }

// Requests is how many requests came, whole ones.
func (s *Server) Requests() int { return int(s.requests.Load()) }

// Heal has every id answered well from now on.
func (s *Server) Heal() { s.healthy.Store(true) }

// Repeat has all that the server says hold the secret and what it was asked, token
// and all, from now on: in headers, reasons and bodies.
func (s *Server) Repeat(secret string) { s.secret.Store(secret) }

// Open is how many connections are open.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Close refuses new connections, ends those there are and waits for their ends.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.listener.Close()
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.ended.Wait()
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		if s.track(conn) {
			s.ended.Go(func() { s.converse(conn) })
		}
	}
}

func (s *Server) track(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Close()
		return false
	}
	s.conns[conn] = true
	return true
}

func (s *Server) converse(conn net.Conn) {
	defer func() {
		conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	c := &Conn{Conn: conn, reader: bufio.NewReader(conn)}
	for {
		request, err := http.ReadRequest(c.reader)
		if err != nil {
			return
		}
		s.requests.Add(1)
		if secret, ok := s.secret.Load().(string); ok {
			c.said = "you asked " + request.URL.String() + " with " + secret + " and " + request.URL.Query().Get("api_token")
		}
		id := request.URL.Query().Get("job_id")
		if request.URL.Path == listPath {
			id, c.query = List, request.URL.Query()
		}
		fault := s.due(id, c)
		c.served++
		if fault == nil {
			if c.answer(200, "", Job(id)) != nil {
				return
			}
			continue
		}
		if fault.do(c, id); fault.ends {
			return
		}
	}
}

// due is the fault that this request is to meet.
func (s *Server) due(id string, c *Conn) *Fault {
	fault := s.fault(id)
	if fault == nil || s.healthy.Load() || fault.reused && c.served == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if fault.times > 0 && s.asked[id] >= fault.times {
		return nil
	}
	s.asked[id]++
	return fault
}

// Conn is a connection on which a request has been read.
type Conn struct {
	net.Conn
	reader *bufio.Reader
	served int
	query  url.Values // of a list
	said   string     // what every text holds; "": nothing more
}

// answer writes a whole response; header lines end in \r\n.
func (c *Conn) answer(status int, header, body string) error {
	reason := http.StatusText(status)
	if c.said != "" {
		reason = c.said
		header += "X-Asked: " + c.said + "\r\n"
		body = c.repeating(body)
	}
	_, err := fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s",
		status, reason, len(body), header, body)
	return err
}

// repeating is the text with more in those places where this package has words.
func (c *Conn) repeating(text string) string {
	if c.said == "" || len(text) > 1<<20 {
		return text
	}
	return strings.NewReplacer("Why.", "Why: "+c.said, "<html>", "<html>"+c.said, "Welcome", c.said, `"good"`, `"`+c.said+`"`,
		"NEW_TYPE", "NEW "+c.said, "New Status", c.said, "mail.example.com", c.said, "X-Long: ", "X-Long: "+c.said).Replace(text)
}

// hang waits until the client or the server's Close ends the connection.
func (c *Conn) hang() { _, _ = c.reader.ReadByte() }

// reset ends the connection with RST.
func (c *Conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}

// Job is a good body for the id, or for the list.
func Job(id string) string {
	if id == List {
		return listOf(nil, goodJobs())
	}
	return jobWith(id, "")
}

// jobWith is a job with more members, such as `, "Options": {}`.
func jobWith(id, more string) string {
	return fmt.Sprintf(`{"JobId": %q, "JobName": "good", "JobStatus": "Complete"%s}`, id, more)
}
