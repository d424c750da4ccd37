package graph_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails where a test leaves a goroutine behind, and has every name
// answered by a server of its own: no test asks the network for one.
func TestMain(m *testing.M) {
	names, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		noSuchName(names)
	}()
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", names.LocalAddr().String())
	}}
	code := m.Run()
	names.Close()
	<-answered
	http.DefaultClient.CloseIdleConnections()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// noSuchName answers each question of the domain name system with NXDOMAIN.
func noSuchName(conn net.PacketConn) {
	message := make([]byte, 512)
	for {
		n, from, err := conn.ReadFrom(message)
		if err != nil {
			return
		}
		if n < 12 {
			continue
		}
		message[2], message[3] = 0x81, 0x83
		_, _ = conn.WriteTo(message[:n], from)
	}
}
