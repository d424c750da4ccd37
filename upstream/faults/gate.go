package faults

import "sync"

// Gate holds answers back until it is opened, so that a test can look at what
// goes on meanwhile.
type Gate struct {
	open chan struct{}
	once sync.Once
}

// NewGate returns a closed gate.
func NewGate() *Gate { return &Gate{open: make(chan struct{})} }

// Open lets all answers through, now and later.
func (g *Gate) Open() { g.once.Do(func() { close(g.open) }) }

// Fault is a good job behind the gate.
func (g *Gate) Fault() *Fault {
	return &Fault{Name: "gate", do: func(c *Conn, id string) {
		<-g.open
		_ = c.answer(200, "", Job(id))
	}}
}
