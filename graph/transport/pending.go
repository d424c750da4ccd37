package transport

import (
	"net/http"
	"net/netip"
	"slices"
)

// maxPending bounds the connections of all clients that are not live yet.
const maxPending = 100

// pending are the connections that are not live yet, the oldest first: WebSockets
// without connection_init. Their places are not refused but given on: where one too
// many comes, the address that has the most loses its oldest. Whoever does what is
// asked of it needs its place for one round trip only, so that one address which
// opens many takes them from itself, and none but itself.
type pending []*connection

func (p pending) add(conn *connection) pending {
	p = append(p, conn)
	if len(p) > maxPending {
		evicted := p.next()
		(&p).remove(evicted)
		evicted.close()
	}
	return p
}

// next is the one to be evicted.
func (p pending) next() *connection {
	count := map[clientAddress]int{}
	for _, conn := range p {
		count[conn.client]++
	}
	next := p[0]
	for _, conn := range p {
		if count[conn.client] > count[next.client] {
			next = conn
		}
	}
	return next
}

// remove is false where the connection is not pending.
func (p *pending) remove(conn *connection) bool {
	i := slices.Index(*p, conn)
	if i >= 0 {
		*p = slices.Delete(*p, i, i+1)
	}
	return i >= 0
}

// A clientAddress is one client as far as its connections are counted. What a proxy
// writes into X-Forwarded-For is not looked at: anybody can write it.
type clientAddress netip.Prefix

// clientOf is an IPv4 address, or the 64 bits of an IPv6 network: one has a whole one.
func clientOf(r *http.Request) clientAddress {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return clientAddress{} // no TCP: a socket of this machine
	}
	address, bits := remote.Addr().Unmap().WithZone(""), 64
	if address.Is4() {
		bits = 32
	}
	prefix, _ := address.Prefix(bits)
	return clientAddress(prefix)
}
