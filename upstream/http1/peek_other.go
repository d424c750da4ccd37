//go:build !unix

package http1

import "syscall"

// canPeek: a socket that cannot be looked at while it is idle cannot be used again.
const canPeek = false

type peeker struct{}

func newPeeker(syscall.RawConn) *peeker { return &peeker{} }

func (*peeker) quiet() bool { return false }
