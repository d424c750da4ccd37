package http1

import (
	"sync"
	"time"
)

// pool keeps idle connections, the last one used on top: so those that are too
// many for the load become old and are closed.
type pool struct {
	max int
	age time.Duration

	mu     sync.Mutex
	idle   []*conn // the one that waits longest first
	closed bool
	timer  *time.Timer // runs expire; nil while nothing is idle
}

func newPool(size int, age time.Duration) *pool { return &pool{max: size, age: age} }

// take is the connection used last; nil where none is idle.
func (p *pool) take() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	taken := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	return taken
}

func (p *pool) give(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) == p.max {
		c.Close()
		return
	}
	c.since = time.Now()
	p.idle = append(p.idle, c)
	if p.timer == nil {
		p.timer = time.AfterFunc(p.age, p.expire)
	}
}

// expire closes what has been idle for too long and looks again when the next one will be.
func (p *pool) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	old := 0
	for old < len(p.idle) && time.Since(p.idle[old].since) >= p.age {
		p.idle[old].Close()
		old++
	}
	fresh := copy(p.idle, p.idle[old:])
	clear(p.idle[fresh:])
	p.idle = p.idle[:fresh]
	if fresh == 0 {
		p.timer = nil
		return
	}
	p.timer.Reset(p.age - time.Since(p.idle[0].since))
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	for _, c := range p.idle {
		c.Close()
	}
	p.idle = nil
}
