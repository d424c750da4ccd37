// Package freeport gives tests a port for a server that cannot say which one the kernel gave
// it, or that comes back at the same one. It is for tests alone.
package freeport

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Kernels give ports from 32768 on to connections, and to who listens on any: nobody is given
// one of these meanwhile.
const (
	first = 10_000
	many  = 20_000
)

var (
	mu    sync.Mutex
	given = map[int]bool{}
)

// Get is a port of 127.0.0.1 that nobody listens on; no other call gives it.
func Get(t testing.TB) string {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	for range 1000 {
		port := first + rand.IntN(many)
		if given[port] {
			continue
		}
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		_ = listener.Close()
		given[port] = true
		return strconv.Itoa(port)
	}
	t.Fatal("no port is free")
	return ""
}
