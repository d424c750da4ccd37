//go:build unix

package http1

import "syscall"

const canPeek = true

// peeker looks at an idle socket, without waiting and without taking anything from it.
type peeker struct {
	socket syscall.RawConn
	peek   func(fd uintptr) bool // made once: it would be allocated for each peek
	empty  bool
	one    [1]byte
}

func newPeeker(socket syscall.RawConn) *peeker {
	p := &peeker{socket: socket}
	p.peek = func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), p.one[:], syscall.MSG_PEEK)
		p.empty = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		return true // done, whatever there is: false would wait for more
	}
	return p
}

// quiet says whether the socket is open and has nothing to read.
func (p *peeker) quiet() bool {
	p.empty = false
	return p.socket.Read(p.peek) == nil && p.empty
}
