package web_test

import (
	"bufio"
	"bytes"
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
	clients, stop, done := atPipes(t, server, 1)
	return clients[0], stop, done
}

// atPipes is atPipe with so many clients.
func atPipes(t *testing.T, server web.Server, number int) (clients []net.Conn, stop func(), done <-chan error) {
	listener, ended := make(pipes), make(chan error, 1)
	server.Listener = listener
	ctx, stop := context.WithCancel(t.Context())
	go func() { ended <- web.Serve(ctx, slog.New(slog.DiscardHandler), server) }()
	for range number {
		client, accepted := net.Pipe()
		listener <- accepted
		t.Cleanup(func() { client.Close() })
		clients = append(clients, client)
	}
	return clients, stop, ended
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

// A head that does not end is not waited for either, whatever it is behind; the lines of a body
// are none of a head.
func TestServe_LinesOfAHeadWithoutAnEndAreBounded(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: localhost\r\n"
	const chunks = post + "Transfer-Encoding: chunked\r\n\r\n"
	lines, head := strings.Repeat("x\n", 500), post+strings.Repeat("x:\r\n", 300)
	for name, c := range map[string]struct {
		before []string // each is written at once
		status []int    // of the answers to it
		last   string
	}{
		"alone":                          {last: head},
		"behind a body":                  {[]string{post + "Content-Length: 1000\r\n\r\n" + lines}, []int{204}, head},
		"behind heads":                   {[]string{post + strings.Repeat("x:\n", 150) + "\n", post + strings.Repeat("x:\n", 150) + "\n"}, []int{204, 204}, head},
		"behind two that came at once":   {[]string{post + "\r\n" + post + "Content-Length: 1000\r\n\r\n", lines}, []int{204, 204}, head},
		"behind chunks":                  {[]string{chunks + "3e8\r\n" + lines + "\r\n0\r\n\r\n"}, []int{204}, head},
		"at once with a request":         {last: post + "\r\n" + head},
		"at once with a body":            {last: post + "Content-Length: 1000\r\n\r\n" + lines + head},
		"at once with chunks":            {last: chunks + "1\r\nx\r\n0\r\n\r\n" + post + strings.Repeat("x:\r\n", 500)},
		"behind empty lines":             {[]string{post + "\r\n"}, []int{204}, "\r\n\r\n" + head},
		"behind empty lines, they alone": {[]string{post + "\r\n"}, []int{204}, "\n\n" + head},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, stop, done := atPipe(t, web.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, err := io.Copy(io.Discard, r.Body)
					assert.NoError(t, err)
					w.WriteHeader(http.StatusNoContent)
				})})
				write := func(text string) { go func() { _, _ = io.WriteString(client, text) }() }
				answers := bufio.NewReader(client)
				read := func() int {
					response, err := http.ReadResponse(answers, nil)
					require.NoError(t, err)
					defer response.Body.Close()
					return response.StatusCode
				}
				for n, text := range c.before {
					write(text)
					if n < len(c.before)-1 && len(c.status) > len(c.before) {
						continue
					}
					require.Equal(t, c.status[n], read())
				}
				began := time.Now()
				write(c.last)
				status := read()
				for status == http.StatusNoContent {
					status = read()
				}
				assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, status)
				_, _ = io.Copy(io.Discard, client)
				assert.Less(t, time.Since(began), time.Second)
				client.Close()
				stop()
				assert.NoError(t, <-done)
			})
		})
	}
}

// What is refused before its body has come is told so at once, or soon: nobody sends the rest.
func TestServe_RefusalsDoNotWaitForTheBody(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: localhost\r\n"
	for name, c := range map[string]struct {
		request string
		within  time.Duration
	}{
		"it waits to be asked for": {post + "Content-Length: 50\r\nExpect: 100-continue\r\n\r\n", 0},
		"it is large":              {post + "Content-Length: 50000000\r\n\r\n", 0},
		"it is small":              {post + "Content-Length: 50\r\n\r\n{", time.Second},
		"nobody knows how large":   {post + "Transfer-Encoding: chunked\r\n\r\n1\r\n{", time.Second},
		"it has come":              {post + "Content-Length: 2\r\n\r\n{}", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				options := web.Options{Logger: slog.New(slog.DiscardHandler), Readiness: &web.Readiness{}, GraphQL: http.NotFoundHandler()}
				client, stop, done := atPipe(t, web.Server{Handler: web.New(options)})
				go func() { _, _ = io.WriteString(client, c.request) }()
				began := time.Now()
				response, err := http.ReadResponse(bufio.NewReader(client), nil)
				require.NoError(t, err)
				response.Body.Close()
				assert.Equal(t, http.StatusNotFound, response.StatusCode)
				assert.LessOrEqual(t, time.Since(began), c.within)
				client.Close()
				stop()
				assert.NoError(t, <-done)
			})
		})
	}
}

// OPTIONS * is answered by net/http, if it may: without the headers of all others, and no line of the log.
func TestServe_OptionsOfEverythingIsARequestAsAnyOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		options := web.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), Readiness: &web.Readiness{}, GraphQL: http.NotFoundHandler()}
		client, stop, done := atPipe(t, web.Server{Handler: web.New(options)})
		go func() { _, _ = io.WriteString(client, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n") }()
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		require.NoError(t, err)
		response.Body.Close()
		assert.Equal(t, http.StatusBadRequest, response.StatusCode)
		assert.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
		client.Close()
		stop()
		assert.NoError(t, <-done)
		assert.Contains(t, log.String(), "method=OPTIONS")
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
