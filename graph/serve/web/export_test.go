package web

import "net/http"

// LimitConnections has the server's connections counted, and gives how many are in the
// table, and of how many clients.
func LimitConnections(server *http.Server, most int) (open func() (conns, clients int)) {
	limit := newConnLimit(most, func() {})
	limit.install(server)
	return func() (int, int) {
		limit.mu.Lock()
		defer limit.mu.Unlock()
		return len(limit.conns), len(limit.order)
	}
}
