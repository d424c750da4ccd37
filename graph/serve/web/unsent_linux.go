package web

import (
	"net"
	"syscall"
)

// tcpNotSentLowat is TCP_NOTSENT_LOWAT, which package syscall does not have.
const tcpNotSentLowat = 25

// boundUnsent has the kernel take no more of an answer than its reader has room for, and
// half a unit of its progress: otherwise it takes megabytes, and a write goes on only when a
// third of them is gone, which may be long after a slow reader's deadline.
func boundUnsent(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	socket, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = socket.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowat, progressUnit/2)
	})
}
