package transport

import (
	"slices"

	"jobgraph/graph/clientaddr"
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
	count := map[clientaddr.Client]int{}
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
