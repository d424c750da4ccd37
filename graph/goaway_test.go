package graph_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"jobgraph/upstream/faults"
)

var quiet = log.New(io.Discard, "", 0)

// TestGoAway has HTTP/2's GOAWAY refuse what is under way, once and always: net/http
// asks again by itself, with longer and longer pauses, until the attempt's deadline
// or until it gives up.
func TestGoAway(t *testing.T) {
	for _, test := range []struct {
		times int32
		want  []string
	}{{1, []string{""}}, {1000, []string{"UPSTREAM_TIMEOUT", "UPSTREAM_UNAVAILABLE"}}} {
		t.Run(fmt.Sprintf("%d times", test.times), func(t *testing.T) {
			var protocol atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				protocol.Store(int32(r.ProtoMajor))
				fmt.Fprint(w, faults.Job(r.URL.Query().Get("job_id")))
			}))
			server.EnableHTTP2 = true
			server.Config.ErrorLog = quiet
			closing := &closingListener{Listener: server.Listener, server: server}
			closing.left.Store(test.times)
			server.Listener = closing
			server.StartTLS()
			t.Cleanup(closing.ended.Wait)
			t.Cleanup(server.Close)
			opts := timeouts
			if test.times == 1 { // nothing waits for them
				opts.Timeout, opts.AttemptTimeout = time.Minute, 30*time.Second
			}
			opts.RootCAs = x509.NewCertPool()
			opts.RootCAs.AddCert(server.Certificate())
			results := newEndpoint(t, newClient(t, server.URL, opts)).jobs(t, oneBad...)
			for _, r := range results {
				assert.Contains(t, test.want, r.Type, r)
			}
			if test.times == 1 {
				assert.EqualValues(t, 2, protocol.Load(), "HTTP's version")
			}
		})
	}
}

// closingListener answers its first requests with GOAWAY. Connections that carry
// none, such as those that find out about HTTP/2, do not count.
type closingListener struct {
	net.Listener
	server *httptest.Server
	left   atomic.Int32
	ended  sync.WaitGroup
}

func (l *closingListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || l.left.Load() <= 0 {
			return conn, err
		}
		config := &tls.Config{Certificates: l.server.TLS.Certificates, NextProtos: []string{"h2"}}
		l.ended.Go(func() { l.goAway(tls.Server(conn, config)) })
	}
}

// goAway reads HTTP/2 until a request comes and says that none was taken.
func (l *closingListener) goAway(conn net.Conn) {
	defer conn.Close()
	preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	_, _ = conn.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}) // SETTINGS
	for header := make([]byte, 9); ; {
		if _, err := io.ReadFull(conn, header); err != nil {
			return
		}
		length := int64(header[0])<<16 | int64(header[1])<<8 | int64(header[2])
		if _, err := io.CopyN(io.Discard, conn, length); err != nil {
			return
		}
		if header[3] == 1 { // HEADERS
			l.left.Add(-1)
			_, _ = conn.Write([]byte{0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
			// A connection that is closed with bytes unread is reset, and the client might
			// not see the GOAWAY: the client closes it.
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			_, _ = io.Copy(io.Discard, conn)
			return
		}
	}
}
