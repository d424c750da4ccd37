package web_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/serve/web"
	"jobgraph/upstream"
)

type noJobs struct{}

func (noJobs) Job(context.Context, upstream.Request) (*upstream.EncodedJob, error) {
	return nil, &upstream.Error{Type: upstream.ItemNotFound}
}

// serve serves the handler at an address of the kernel's choice until the test is done.
func serve(t *testing.T, handler http.Handler, server web.Server) (address string) {
	t.Helper()
	return serveOptions(t, web.Options{GraphQL: handler}, server)
}

func serveOptions(t *testing.T, options web.Options, server web.Server) (address string) {
	t.Helper()
	listener, err := web.Listen("the test", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	server.Listener = listener
	options.Readiness, options.Logger = &web.Readiness{}, slog.New(slog.DiscardHandler)
	server.Handler = web.New(options)
	go func() { done <- web.Serve(ctx, slog.New(slog.DiscardHandler), server) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-done)
	})
	return listener.Addr().String()
}

// slowSenders is how many connections send half a request and then nothing.
const slowSenders = 500

// With JOBGRAPH_SOAK=1 this takes the 10 s that the program gives a body.
func TestSlowClients_SendersAreCutAndDisturbNobody(t *testing.T) {
	server := web.Server{HeaderTimeout: 500 * time.Millisecond, BodyTimeout: time.Second}
	if os.Getenv("JOBGRAPH_SOAK") == "1" {
		server = web.Server{}
	}
	address := serve(t, graph.NewHandler(noJobs{}, graph.Options{MaxInflight: 1}), server)
	connections := make([]net.Conn, slowSenders)
	for i := range connections {
		connection, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer connection.Close()
		head := "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		if i%2 == 0 {
			head += "Content-Length: 1000\r\n\r\n{"
		}
		_, err = io.WriteString(connection, head)
		require.NoError(t, err)
		connections[i] = connection
	}
	for range 20 {
		assert.Equal(t, http.StatusOK, gqltest.Post(t, "http://"+address+"/graphql", `{"query": "{ __typename }"}`).Status)
	}
	for i, connection := range connections {
		require.NoError(t, connection.SetReadDeadline(time.Now().Add(time.Minute)))
		answer, err := io.ReadAll(connection) // to the end: the server closes
		require.NoError(t, err, "connection %d", i)
		if i%2 == 0 {
			assert.Contains(t, string(answer), "408 Request Timeout")
		}
	}
}

// The deadline for slow senders must not end an answer that takes longer, nor a stream.
func TestSlowClients_LongAnswersOutliveTheReadDeadline(t *testing.T) {
	const bodyTimeout = 50 * time.Millisecond
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
			fmt.Fprint(w, "cut")
		case <-time.After(5 * bodyTimeout): // the deadline, if it were there, passes
			fmt.Fprint(w, "whole")
		}
	})
	address := serve(t, handler, web.Server{BodyTimeout: bodyTimeout})
	assert.Equal(t, "whole", gqltest.Get(t, "http://"+address+"/graphql").Body)
	assert.Equal(t, "whole", gqltest.Post(t, "http://"+address+"/graphql", "body").Body)
}

func TestSlowClients_OriginsForWebSockets(t *testing.T) {
	origins := web.Origins{"https://app.example.com"}
	for origin, allowed := range map[string]bool{
		"":                             true, // no page
		"https://app.example.com":      true,
		"http://jobgraph.test:8080":    true, // this host
		"https://app.example.com.evil": false,
		"http://app.example.com":       false,
		"null":                         false,
	} {
		request := &http.Request{Host: "jobgraph.test:8080", Header: http.Header{}}
		if origin != "" {
			request.Header.Set("Origin", origin)
		}
		assert.Equal(t, allowed, origins.Allow(request), origin)
	}
	request := &http.Request{Host: "jobgraph.test", Header: http.Header{"Origin": {"https://any.example"}}}
	assert.True(t, web.Origins{"*"}.Allow(request))
	assert.False(t, web.Origins(nil).Allow(request))
}

// TestSlowClients_ReadersThatStopAreCut has a reader that reads nothing, and one that takes longer
// for the whole answer than any part of it may take.
func TestSlowClients_ReadersThatStopAreCut(t *testing.T) {
	const timeout = 2 * time.Second
	const size = 8 << 20 // more than the kernel takes of an answer that nobody reads
	ended := make(chan error, 1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(make([]byte, size))
		ended <- err
	})
	address := serveOptions(t, web.Options{GraphQL: handler, ProgressTimeout: timeout}, web.Server{})
	dial := func() net.Conn {
		connection, err := net.Dial("tcp", address)
		require.NoError(t, err)
		t.Cleanup(func() { connection.Close() })
		require.NoError(t, connection.(*net.TCPConn).SetReadBuffer(64<<10))
		_, err = io.WriteString(connection, "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		require.NoError(t, err)
		return connection
	}
	dial()
	assert.ErrorIs(t, <-ended, os.ErrDeadlineExceeded, "a reader that reads nothing")

	slow := dial()
	read, part := 0, make([]byte, size/20)
	began := time.Now()
	for {
		n, err := io.ReadFull(slow, part)
		read += n
		if err != nil {
			break
		}
		time.Sleep(timeout / 8) // as a slow reader does
	}
	assert.NoError(t, <-ended, "a reader that reads slowly")
	assert.Greater(t, read, size)
	assert.Greater(t, time.Since(began), timeout, "it was no slow reader")
}

// TestSlowClients_ReadersThatKeepThePaceAreNotCut has a reader that takes a unit of an answer in a
// fifth of its time, all along: the kernel takes megabytes for a reader, and goes on when a
// third of them is gone.
func TestSlowClients_ReadersThatKeepThePaceAreNotCut(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what the kernel takes is bounded on Linux")
	}
	const timeout, size, unit = 500 * time.Millisecond, 5 << 20, 64 << 10
	ended := make(chan error, 1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(make([]byte, size))
		ended <- err
	})
	address := serveOptions(t, web.Options{GraphQL: handler, ProgressTimeout: timeout}, web.Server{})
	connection, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.(*net.TCPConn).SetReadBuffer(unit))
	_, err = io.WriteString(connection, "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	read, part := 0, make([]byte, unit)
	for err == nil {
		var n int
		n, err = io.ReadFull(connection, part)
		read += n
		time.Sleep(timeout / 5 * time.Duration(n) / unit)
	}
	assert.Greater(t, read, size)
	assert.NoError(t, <-ended)
}

// pipes is a listener whose connections hold no byte that is not being read.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if conn, open := <-p; open {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// The whole answer has a time as well: its bytes count against those of all answers.
func TestReadersThatAreTooSlowAreCut(t *testing.T) {
	const size, unit = 8 << 20, 64 << 10
	for _, test := range []struct {
		pace  time.Duration // for a unit
		whole bool
		after time.Duration
	}{
		{9 * time.Second, false, 61750 * time.Millisecond}, // in the seventh unit
		{300 * time.Millisecond, true, 128 * 300 * time.Millisecond},
		{700 * time.Millisecond, true, 128 * 700 * time.Millisecond},
		{800 * time.Millisecond, false, 0},
	} {
		t.Run(test.pace.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, ended := time.Now(), make(chan error, 1)
				handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					_, err := w.Write(make([]byte, size))
					ended <- err
				})
				listener := make(pipes)
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error, 1)
				logger := slog.New(slog.DiscardHandler)
				go func() {
					done <- web.Serve(ctx, logger, web.Server{Listener: listener,
						Handler: web.New(web.Options{GraphQL: handler, Readiness: &web.Readiness{}, Logger: logger})})
				}()
				client, server := net.Pipe()
				listener <- server
				var reading sync.WaitGroup
				reading.Go(func() {
					_, _ = io.WriteString(client, "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
					for err := error(nil); err == nil; {
						time.Sleep(test.pace / 64)
						_, err = io.ReadFull(client, make([]byte, unit/64))
					}
				})
				err := <-ended
				if test.whole {
					assert.NoError(t, err)
				} else {
					assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
				}
				if test.after > 0 {
					assert.InDelta(t, test.after.Seconds(), time.Since(began).Seconds(), 1)
				}
				stop()
				assert.NoError(t, <-done)
				reading.Wait()
			})
		})
	}
}
