package redistest

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy is a way to the server that may be slow, or cut in one direction.
type Proxy struct {
	// Address is its host and port, URL what a program is told.
	Address, URL string

	delay    atomic.Int64 // of each piece, both ways
	toServer atomic.Bool  // nothing gets to the server
	toClient atomic.Bool
}

// Proxy starts one, which ends with the test.
func (s *Server) Proxy() *Proxy {
	s.t.Helper()
	return NewProxy(s.t, s.Address, s.URL)
}

// NewProxy starts a proxy to the address, which ends with the test.
func NewProxy(t testing.TB, address, url string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	p := &Proxy{Address: listener.Addr().String()}
	p.URL = strings.Replace(url, address, p.Address, 1)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.DialTimeout("tcp", address, timeout)
			if err != nil {
				_ = client.Close()
				continue
			}
			go p.forward(server, client, &p.toServer)
			go p.forward(client, server, &p.toClient)
		}
	}()
	return p
}

// Slow has all take so long, one way and back.
func (p *Proxy) Slow(by time.Duration) { p.delay.Store(int64(by / 2)) }

// Cut drops what is sent to the server, or by it, until Heal. Connections stay open.
func (p *Proxy) Cut(toServer, toClient bool) {
	p.toServer.Store(toServer)
	p.toClient.Store(toClient)
}

// Heal ends both. Connections that something was dropped of are of no use any more.
func (p *Proxy) Heal() {
	p.Slow(0)
	p.Cut(false, false)
}

// forward ends with either of the connections.
func (p *Proxy) forward(to, from net.Conn, cut *atomic.Bool) {
	defer to.Close()
	defer from.Close()
	buffer, dropped := make([]byte, 64<<10), false
	for {
		n, err := from.Read(buffer)
		time.Sleep(time.Duration(p.delay.Load()))
		// After a gap the rest makes no sense.
		if dropped = dropped || n > 0 && cut.Load(); !dropped {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
