package transport

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// defaultWriteTimeout closes a connection whose reader has stopped reading.
	defaultWriteTimeout = 10 * time.Second
	// farewell is how long a reader may take once the process is leaving.
	farewell = 2 * time.Second
)

// Connections counts the connections that stay open, and ends them all.
type Connections struct {
	limit   int
	leaving context.Context
	leave   context.CancelFunc

	mu   sync.Mutex
	open int
	none chan struct{} // closed when the process is leaving and none is open
}

// NewConnections returns Connections of which at most limit are open; 0: 1,000.
func NewConnections(limit int) *Connections {
	ctx, cancel := context.WithCancel(context.Background())
	return &Connections{limit: cmp.Or(limit, 1000), leaving: ctx, leave: cancel, none: make(chan struct{})}
}

// Leave ends all connections: subscriptions complete, queries in flight are
// answered, and no new connection is taken. It returns when none is left, or with
// ctx's error.
func (c *Connections) Leave(ctx context.Context) error {
	c.mu.Lock()
	if c.open == 0 && c.leaving.Err() == nil {
		close(c.none)
	}
	c.leave()
	c.mu.Unlock()
	select {
	case <-c.none:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Open is how many connections are open.
func (c *Connections) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// enter is false, and has answered, where no more connections are taken.
func (c *Connections) enter(w http.ResponseWriter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open >= c.limit || c.leaving.Err() != nil {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "No more connections are taken. Try again later.", http.StatusServiceUnavailable)
		return false
	}
	c.open++
	return true
}

func (c *Connections) exit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if c.open == 0 && c.leaving.Err() != nil {
		close(c.none)
	}
}

// fromAllowedOrigin is false, and has answered, where a page of another origin asks
// that may not. A browser by itself lets every page connect.
func fromAllowedOrigin(w http.ResponseWriter, r *http.Request, allow func(*http.Request) bool) bool {
	if allow == nil {
		allow = fromSameOrigin
	}
	if allow(r) {
		return true
	}
	http.Error(w, "Pages of this origin may not connect. The operator can allow it.", http.StatusForbidden)
	return false
}

func fromSameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	page, err := url.Parse(origin)
	return origin == "" || err == nil && page.Host != "" && strings.EqualFold(page.Host, r.Host)
}
