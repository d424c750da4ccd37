//go:build !linux

package web

import "net"

// boundUnsent is Linux's.
func boundUnsent(net.Conn) {}
