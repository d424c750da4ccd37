package fleet

import (
	"crypto/rand"
	"sync"
	"sync/atomic"
)

// Signals have other instances wake what waits in this one, by name. A name tells nobody
// anything: it is a key's.
type Signals struct {
	channel   string
	listening atomic.Bool

	mu       sync.Mutex
	expected map[string]*expectation
}

type expectation struct {
	came    chan struct{}
	waiting int
}

// Signals listen until the fleet is closed.
func (f *Fleet) Signals() *Signals {
	s := &Signals{channel: f.Key("signals", rand.Text()), expected: map[string]*expectation{}}
	f.subscribe([]string{s.channel}, func(_, name string) { s.came(name) }, func() { s.listening.Store(true) }, s.lost)
	return s
}

// Channel is where a name is published to wake who expects it here; "" while nothing would be heard.
func (s *Signals) Channel() string {
	if !s.listening.Load() {
		return ""
	}
	return s.channel
}

// Expect gives what is closed when the name is told, or when nothing is heard any more; end ends
// the wait.
func (s *Signals) Expect(name string) (came <-chan struct{}, end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.expected[name]
	if e == nil {
		e = &expectation{came: make(chan struct{})}
		s.expected[name] = e
	}
	e.waiting++
	return e.came, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if e.waiting--; e.waiting == 0 && s.expected[name] == e {
			delete(s.expected, name)
		}
	}
}

func (s *Signals) came(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.expected[name]; e != nil {
		delete(s.expected, name)
		close(e.came)
	}
}

func (s *Signals) lost() {
	s.listening.Store(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, e := range s.expected {
		delete(s.expected, name)
		close(e.came)
	}
}
