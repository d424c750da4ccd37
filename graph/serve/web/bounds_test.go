package web_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/serve/web"
)

// atPipe has the handler serve one connection, in a synctest bubble. What it gives is the
// client's end; stop begins the shutdown, and done tells of its end.
func atPipe(t *testing.T, server web.Server) (client net.Conn, stop func(), done <-chan error) {
	listener, ended := make(pipes), make(chan error, 1)
	server.Listener = listener
	ctx, stop := context.WithCancel(t.Context())
	go func() { ended <- web.Serve(ctx, slog.New(slog.DiscardHandler), server) }()
	client, accepted := net.Pipe()
	listener <- accepted
	t.Cleanup(func() { client.Close() })
	return client, stop, ended
}

const get = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"

func TestServe_HeadsAreBounded(t *testing.T) {
	for bytes, status := range map[int]int{30 << 10: http.StatusNoContent, 64 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		synctest.Test(t, func(t *testing.T) {
			client, stop, done := atPipe(t, web.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNoContent)
			})})
			go func() { _, _ = io.WriteString(client, get+"Padding: "+strings.Repeat("x", bytes)+"\r\n\r\n") }()
			response, err := http.ReadResponse(bufio.NewReader(client), nil)
			require.NoError(t, err)
			response.Body.Close()
			assert.Equal(t, status, response.StatusCode, "%d bytes", bytes)
			client.Close()
			stop()
			assert.NoError(t, <-done)
		})
	}
}

// Short lines take more memory than long ones, and a body that never comes would hold it.
func TestServe_LinesOfAHeadAreBounded(t *testing.T) {
	for name, lines := range map[string]func(i int) string{
		"names of their own": func(i int) string { return fmt.Sprintf("x%d:\r\n", i) },
		"one name":           func(int) string { return "x:\r\n" },
	} {
		for count, status := range map[int]int{198: http.StatusNoContent, 201: http.StatusRequestHeaderFieldsTooLarge} {
			synctest.Test(t, func(t *testing.T) {
				client, stop, done := atPipe(t, web.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(http.StatusNoContent)
				})})
				head := get + "Content-Length: 2\r\n"
				for i := range count {
					head += lines(i)
				}
				go func() { _, _ = io.WriteString(client, head+"\r\n{") }()
				began := time.Now()
				response, err := http.ReadResponse(bufio.NewReader(client), nil)
				require.NoError(t, err)
				response.Body.Close()
				assert.Equal(t, status, response.StatusCode, "%d lines, %s", count, name)
				if status == http.StatusRequestHeaderFieldsTooLarge {
					_, _ = io.Copy(io.Discard, client)
					assert.Less(t, time.Since(began), 2*time.Second, "its body is not waited for")
				}
				client.Close()
				stop()
				assert.NoError(t, <-done)
			})
		}
	}
}

// A head that does not end is not waited for either, also behind another request; the lines of a
// body are none of a head.
func TestServe_LinesOfAHeadWithoutAnEndAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, stop, done := atPipe(t, web.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			assert.NoError(t, err)
			w.WriteHeader(http.StatusNoContent)
		})})
		answers := bufio.NewReader(client)
		ask := func(text string) int {
			go func() { _, _ = io.WriteString(client, text) }()
			response, err := http.ReadResponse(answers, nil)
			require.NoError(t, err)
			defer response.Body.Close()
			return response.StatusCode
		}
		const keep = "POST / HTTP/1.1\r\nHost: localhost\r\n"
		lines := strings.Repeat("x\n", 500)
		assert.Equal(t, http.StatusNoContent, ask(keep+"Content-Length: 1000\r\n\r\n"+lines))
		for range 2 {
			assert.Equal(t, http.StatusNoContent, ask(keep+strings.Repeat("x:\n", 150)+"\n"))
		}
		assert.Equal(t, http.StatusNoContent, ask(keep+"\r\n"+keep+"Content-Length: 1000\r\n\r\n"), "the first of two")
		assert.Equal(t, http.StatusNoContent, ask(lines), "whose head came with the first")
		began := time.Now()
		assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, ask(keep+strings.Repeat("x:\r\n", 300)))
		_, _ = io.Copy(io.Discard, client)
		assert.Less(t, time.Since(began), time.Second)
		client.Close()
		stop()
		assert.NoError(t, <-done)
	})
}

// A handler that never ends is not waited for longer than an orchestrator waits.
func TestServe_TheEndIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		client, stop, done := atPipe(t, web.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })})
		_, err := io.WriteString(client, get+"\r\n")
		require.NoError(t, err)
		synctest.Wait()
		began := time.Now()
		stop()
		assert.ErrorContains(t, <-done, "had not finished 9s after the shutdown began, and was cut off")
		assert.Equal(t, 9*time.Second, time.Since(began))
		close(release)
		client.Close()
	})
}

// A handler that sets no deadline is not held by who reads nothing.
func TestServe_AnswersHaveADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, ended := time.Now(), make(chan error, 1)
		client, stop, done := atPipe(t, web.Server{WriteTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, err := w.Write(make([]byte, 1<<20))
			ended <- err
		})})
		_, err := io.WriteString(client, get+"\r\n")
		require.NoError(t, err)
		select {
		case err = <-ended:
			assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
			assert.Equal(t, time.Minute, time.Since(began))
		case <-time.After(time.Hour):
			t.Error("the answer has no deadline")
			client.Close()
		}
		stop()
		assert.NoError(t, <-done)
	})
}
