package fleet

import (
	"crypto/rand"
	"encoding/json"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"jobgraph/upstream/poll"
)

const (
	// shards is how many channels there are for the states of all jobs.
	shards = 64
	// stateTTL is how long the latest state of a job is stored, and settledTTL one that
	// nothing follows: whoever lost its message finds it.
	stateTTL   = time.Hour
	settledTTL = time.Minute
	// counterTTL is how long the numbers of a token's leases are known after the last claim.
	counterTTL = 2 * time.Hour
	// maxStores bounds the states that are being stored: the others wait.
	maxStores = 64
	// maxMessages and maxWaiting bound the messages that wait to be heard, in number and bytes.
	maxMessages = 1024
	maxWaiting  = 16 << 20
	// maxKicked bounds the members that claim at once when messages may have been lost: the
	// others do at their turn.
	maxKicked = 64
	// maxState bounds a state, in bytes: a job above it is polled by each instance.
	maxState = 1 << 20
	// maxWatchID bounds the id in a callback, in bytes.
	maxWatchID = 256
)

// Watching is what the instances share of watched jobs: a [poll.Fleet].
type Watching struct {
	fleet    *Fleet
	identity Identity
	name     string // of this instance
	wakes    string // channel
	channels []string
	stores   chan struct{}
	heard    chan func()
	waiting  atomic.Int64 // bytes in heard

	mu      sync.Mutex
	members map[string]map[*membership]struct{} // by tag
	wake    func(id string)
}

// Identity tells what is watched with a token apart from all else, the same in all
// instances: the job API's address is a part of it, and who the caller is there. Not ok:
// it is shared with nobody.
type Identity func(token string) (parts []string, ok bool)

// NewWatching listens to the others until the fleet is closed.
func NewWatching(f *Fleet, identity Identity) *Watching {
	w := &Watching{fleet: f, identity: identity, name: rand.Text(), wakes: f.Key("wakes"),
		stores: make(chan struct{}, maxStores), heard: make(chan func(), maxMessages),
		members: map[string]map[*membership]struct{}{}, wake: func(string) {}}
	for n := range shards {
		w.channels = append(w.channels, f.Key("jobs", strconv.Itoa(n)))
	}
	f.subscribe(w.channels, w.hear, w.subscribed, func() {})
	f.Subscribe([]string{w.wakes}, w.woken, func() {})
	f.goOwned(func() {
		for {
			select {
			case hear := <-w.heard:
				hear()
			case <-f.ctx.Done():
				return
			}
		}
	})
	return w
}

// OnWake has wake called for each callback that another instance tells of.
func (w *Watching) OnWake(wake func(id string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wake = wake
}

// Wake tells the other instances of a callback.
func (w *Watching) Wake(id string) {
	if len(id) <= maxWatchID {
		w.fleet.Publish(w.wakes, []byte(w.name+id))
	}
}

func (w *Watching) woken(_ string, value []byte) {
	if len(value) < len(w.name) || string(value[:len(w.name)]) == w.name {
		return
	}
	id := string(value[len(w.name):])
	w.mu.Lock()
	wake := w.wake
	w.mu.Unlock()
	w.later(len(id), func() { wake(id) })
}

// later has the connection's goroutine go on. What is too much is lost, and the next claim
// tells that states were.
func (w *Watching) later(bytes int, hear func()) {
	if w.waiting.Add(int64(bytes)) > maxWaiting {
		w.waiting.Add(int64(-bytes))
		return
	}
	select {
	case w.heard <- func() { w.waiting.Add(int64(-bytes)); hear() }:
	default:
		w.waiting.Add(int64(-bytes))
	}
}

// hear is called for each message of a channel; one that is nothing of ours is dropped.
func (w *Watching) hear(_, message string) {
	const tagSize = 43 // of a SHA-256 in base64
	if len(message) <= 1+tagSize {
		return
	}
	kind, of, rest := message[0], message[1:1+tagSize], message[1+tagSize:]
	for _, m := range w.membersOf(of) {
		switch {
		case kind == 'S' && len(rest) > tagSize:
			if state, ok := m.open(m.stateKey(rest[:tagSize]), rest[tagSize:]); ok {
				w.later(len(rest), func() { m.tell(poll.Message{State: &state}) })
			}
		case kind == 'N':
			text, ok := w.fleet.Open(m.channel+m.tag, []byte(rest))
			var n notice
			if ok && json.Unmarshal(text, &n) == nil {
				w.later(len(rest), func() { m.tell(poll.Message{Interest: n.Interest, Released: n.Released}) })
			}
		}
	}
}

func (w *Watching) membersOf(tag string) (all []*membership) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for m := range w.members[tag] {
		all = append(all, m)
	}
	return all
}

// subscribed has members claim, which shows what was lost.
func (w *Watching) subscribed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	kicked := 0
	for _, members := range w.members {
		for m := range members {
			if kicked++; kicked > maxKicked {
				return
			}
			w.later(0, func() { m.tell(poll.Message{Released: true}) })
		}
	}
}
