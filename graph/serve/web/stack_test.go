package web_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"runtime"
	"runtime/pprof"
	"testing"
	"testing/synctest"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/serve/web"
)

// A collection halves a stack that is hardly used, and the next operation of the connection
// copies its own, to have it as large as before: each time it is somewhere else.
func TestServe_AConnectionThatWaitsKeepsItsStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begins, ends []uintptr
		client, stop, done := atPipe(t, web.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			begins = append(begins, useStack(0))
			useStack(9)
			ends = append(ends, useStack(0))
			w.WriteHeader(http.StatusNoContent)
		})})
		answers := bufio.NewReader(client)
		for range 2 {
			go func() { _, _ = io.WriteString(client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") }()
			response, err := http.ReadResponse(answers, nil)
			require.NoError(t, err)
			response.Body.Close()
			synctest.Wait()
			for range 3 {
				runtime.GC()
			}
		}
		assert.Equal(t, ends[0], begins[1])
		client.Close()
		stop()
		assert.NoError(t, <-done)
	})
}

// Beyond 1,024 connections that wait, a stack is as small as it gets.
func TestServe_StacksThatAreKeptAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clients, stop, done := atPipes(t, web.Server{Handler: http.NotFoundHandler()}, 1100)
		synctest.Wait()
		var stacks bytes.Buffer
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&stacks, 2))
		assert.Equal(t, 1100, bytes.Count(stacks.Bytes(), []byte("web.(*headConn).read(")))
		assert.Equal(t, 1024, bytes.Count(stacks.Bytes(), []byte("web.(*headConn).readWithReserve(")))
		for _, client := range clients {
			client.Close()
		}
		stop()
		assert.NoError(t, <-done)
	})
}

// useStack takes a KiB and more for each call that it is deep, and tells where that is.
//
//go:noinline
func useStack(calls int) uintptr {
	var frame [1 << 10]byte
	if calls > 0 {
		return useStack(calls-1) + uintptr(frame[calls])
	}
	return uintptr(unsafe.Pointer(&frame))
}
