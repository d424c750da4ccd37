package http1

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// certified gives a TLS configuration for 127.0.0.1 and who trusts it.
func certified(t *testing.T, protocols ...string) (*tls.Config, *x509.CertPool) {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	return &tls.Config{Certificates: server.TLS.Certificates, NextProtos: protocols}, trusted
}

func serveTLS(t *testing.T, config *tls.Config, answer func(net.Conn, int) bool) *server {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	s := serveOn(t, listener, answer)
	s.url = strings.Replace(s.url, "http:", "https:", 1)
	return s
}

func TestTLS(t *testing.T) {
	for _, protocols := range [][]string{nil, {"http/1.1"}} {
		config, trusted := certified(t, protocols...)
		s := serveTLS(t, config, always(ok, true))
		c := client(t, s.url, Options{RootCAs: trusted})
		for range 3 {
			response, err := get(c)
			require.NoError(t, err)
			assert.Equal(t, "ok", string(response.Body))
		}
		assert.EqualValues(t, 1, s.accepted.Load(), "connections")
	}
}

// TestTLS_HidesNoAnswerThatNobodyAskedFor has it in the same packet as the answer: it
// has left the socket with that one.
func TestTLS_HidesNoAnswerThatNobodyAskedFor(t *testing.T) {
	config, trusted := certified(t)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := serveOn(t, tls.NewListener(gathering{plain}, config), func(c net.Conn, request int) bool {
		packet := c.(*tls.Conn).NetConn().(*gathered)
		packet.hold = true
		_, _ = c.Write([]byte(ok))
		packet.hold = false
		_, _ = c.Write([]byte(strings.Replace(ok, "\r\n\r\nok", "\r\n\r\nno", 1)))
		return true
	})
	c := client(t, strings.Replace(s.url, "http:", "https:", 1), Options{RootCAs: trusted})
	for range 3 {
		response, err := get(c)
		require.NoError(t, err)
		assert.Equal(t, "ok", string(response.Body))
	}
	assert.EqualValues(t, 3, s.accepted.Load(), "connections")
}

// gathered writes what it holds together with what comes next.
type gathered struct {
	net.Conn
	hold bool
	held []byte
}

func (g *gathered) Write(b []byte) (int, error) {
	g.held = append(g.held, b...)
	if g.hold {
		return len(b), nil
	}
	_, err := g.Conn.Write(g.held)
	g.held = nil
	return len(b), err
}

type gathering struct{ net.Listener }

func (l gathering) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &gathered{Conn: c}, err
}

func TestTLS_HTTP2IsLeftToOthers(t *testing.T) {
	config, trusted := certified(t, "h2", "http/1.1")
	s := serveTLS(t, config, always(ok, true))
	_, err := get(client(t, s.url, Options{RootCAs: trusted}))
	assert.ErrorIs(t, err, ErrHTTP2)
	assert.Zero(t, s.requests.Load())
	eventually(t, func() bool { return s.open.Load() == 0 }, "the connection's end")
}

func TestTLS_WhoIsNotTrustedIsAskedNothing(t *testing.T) {
	log.SetOutput(io.Discard)
	config, _ := certified(t)
	s := serveTLS(t, config, always(ok, true))
	_, err := failed(t, client(t, s.url, Options{}))
	var untrusted *tls.CertificateVerificationError
	assert.ErrorAs(t, err, &untrusted)
	assert.Zero(t, s.requests.Load())

	old := &tls.Config{Certificates: config.Certificates, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	s = serveTLS(t, old, always(ok, true))
	_, _ = failed(t, client(t, s.url, Options{}))
	assert.Zero(t, s.requests.Load())
}

func TestTLS_ToAPlainServer(t *testing.T) {
	s := serve(t, always(ok, true))
	_, err := failed(t, client(t, strings.Replace(s.url, "http:", "https:", 1), Options{}))
	assert.Error(t, err)
}

// TestTLS_CancellationEndsAHandshake has a server that accepts and says nothing.
func TestTLS_CancellationEndsAHandshake(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	c := client(t, "https://"+listener.Addr().String(), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { _, err := c.Get(ctx, time.Now().Add(time.Hour), "", nil); ended <- err }()
	silent, err := listener.Accept()
	require.NoError(t, err)
	defer silent.Close()
	cancel()
	assert.Equal(t, context.Canceled, <-ended)
	_, err = c.Get(t.Context(), time.Now().Add(20*time.Millisecond), "", nil)
	assert.Equal(t, context.DeadlineExceeded, err)
}
