package poll

import (
	"context"

	"jobgraph/upstream"
)

// newer says whether a state's look surely began after the claim with the number did. That
// is so if its poller knew of a turn as high as that of a later claim of ours.
func (m *member) newer(state SharedState, number int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, mark := range m.marks {
		if mark.number > number {
			return state.At.Fence > mark.fence || state.At.Fence == mark.fence && state.Turn >= mark.turn
		}
	}
	return false
}

// hear takes a message.
func (m *member) hear(message Message) {
	switch {
	case message.State != nil:
		m.mu.Lock()
		at := message.State.At
		m.known = max(m.known, at.Fence)
		if m.now.holds() && at.Fence == m.now.fence {
			m.mu.Unlock()
			return // its own
		}
		switch {
		case at.Fence > m.now.fence: // a holder that no claim has told of yet
			signal(m.kick)
		case at.Fence == m.now.fence && at.Seq > m.seq+1:
			m.lost = true
			signal(m.kick)
		case at.Fence == m.now.fence && at.Seq > m.seq:
			m.seq = at.Seq
		}
		m.mu.Unlock()
		m.poller.received.Add(1)
		m.poller.deliver(m.of, *message.State)
	case message.Interest != nil && message.Interest.From != m.name:
		m.mu.Lock()
		holds := m.now.holds()
		if !holds && m.claiming && len(m.early) < maxEarly {
			m.early = append(m.early, message.Interest)
		}
		m.mu.Unlock()
		if holds {
			m.poller.interested(m.of, message.Interest, m.forgetAt())
		}
	case message.Released:
		signal(m.kick)
	}
}

// compare loads all states where messages were lost.
func (m *member) compare(ctx context.Context, stored int64) {
	behind := func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.lost || m.seq < stored
	}
	if !behind() || !sleep(ctx, settle) || !behind() {
		return
	}
	m.catchUp(stored)
	m.load(ctx, m.ids())
}

// catchUp has the states up to the one count as heard.
func (m *member) catchUp(stored int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lost, m.seq = false, max(m.seq, stored)
}

// load delivers the latest states of jobs; known are those that the holder has told of, and
// whether that was the last of them.
func (m *member) load(ctx context.Context, ids []string) (known map[string]bool) {
	known = map[string]bool{}
	fence := m.standing().fence
	for ids := range chunks(ids) {
		states, err := m.shared.Load(ctx, ids)
		if err != nil {
			return known
		}
		for _, state := range states {
			// What an earlier holder told may be long past: nobody says that it is so still.
			if state.At.Fence == fence {
				known[state.ID] = state.Last
				m.poller.deliver(m.of, state)
			}
		}
	}
	return known
}

// deliver leaves the state for the job's goroutine.
func (w *Poller) deliver(t *tokenJobs, state SharedState) {
	w.mu.Lock()
	watched := w.jobs[upstream.Key{Token: t.key, ID: state.ID}]
	w.mu.Unlock()
	if watched != nil {
		watched.tell(state)
	}
}
