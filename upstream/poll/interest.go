package poll

import (
	"context"
	"time"

	"jobgraph/upstream"
)

func (m *member) forgetAt() time.Time { return time.Now().Add(forgetAfter * m.pace()) }

// watch and unwatch note what there is to tell.
func (m *member) watch(id string) {
	if m != nil {
		m.note(&m.added, id)
	}
}

func (m *member) unwatch(id string) {
	if m != nil {
		m.note(&m.gone, id)
	}
}

// note drops what is too much while a claim is under way: what is added is told again, and
// what is gone is forgotten, where all is told anew.
func (m *member) note(ids *[]string, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(*ids) < maxNoted {
		*ids = append(*ids, id)
	}
	signal(m.news)
}

// tell tells the holder of what is watched since the last time. Before the first claim there
// is nobody to tell, and after it the claim does.
func (m *member) tell(ctx context.Context) {
	m.mu.Lock()
	now, added, gone := m.now, m.added, m.gone
	m.added, m.gone = nil, nil
	m.mu.Unlock()
	if !now.follows() {
		return
	}
	m.interest(ctx, gone, Interest{Gone: true})
	m.announce(ctx, added)
}

// announce loads what is known of jobs and tells the holder of them.
func (m *member) announce(ctx context.Context, ids []string) {
	known := m.load(ctx, ids)
	var have, need []string
	for _, id := range ids {
		last, ok := known[id]
		switch {
		case !ok:
			need = append(need, id)
		case !last: // else nobody need look at it
			have = append(have, id)
		}
	}
	m.interest(ctx, have, Interest{})
	m.interest(ctx, need, Interest{Need: true})
}

func (m *member) interest(ctx context.Context, ids []string, as Interest) {
	for ids := range chunks(ids) {
		as.From, as.IDs = m.name, ids
		if m.shared.Interest(ctx, as) != nil {
			return
		}
	}
}

// chunks are the ids in parts that are not too large.
func chunks(ids []string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for len(ids) > 0 {
			n := min(chunk, len(ids))
			if !yield(ids[:n]) {
				return
			}
			ids = ids[n:]
		}
	}
}

// ids are those of the token's jobs.
func (m *member) ids() (ids []string) {
	m.poller.mu.Lock()
	defer m.poller.mu.Unlock()
	for watched := range m.of.jobs {
		ids = append(ids, watched.key.ID)
	}
	return ids
}

// interested has jobs polled that other instances watch, as if they were subscribers here.
// What is too much is not: their instance polls them for itself.
func (w *Poller) interested(t *tokenJobs, in *Interest, until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.local == 0 {
		return // it is about to close
	}
	r := t.remotes[in.From]
	if r == nil {
		r = &remote{&subscriber{mute: true}, map[*watchedJob]time.Time{}}
		t.remotes[in.From] = r
	}
	for _, id := range in.IDs {
		k := upstream.Key{Token: t.key, ID: id}
		watched := w.jobs[k]
		switch {
		case in.Gone && watched != nil:
			w.drop(r, watched)
			continue
		case in.Gone, watched == nil && len(w.jobs)-w.here >= w.maxJobs:
			continue
		case watched == nil:
			watched = w.start(k, t.token)
		case in.Need:
			signal(watched.restate)
		}
		watched.add(r.subscriber)
		r.until[watched] = until
	}
}

// remote is what another instance watches.
type remote struct {
	subscriber *subscriber
	until      map[*watchedJob]time.Time
}

// drop takes a job off what the other instance watches.
func (w *Poller) drop(r *remote, watched *watchedJob) {
	if _, ok := r.until[watched]; !ok {
		return
	}
	delete(r.until, watched)
	if watched.remove(r.subscriber) == 0 {
		w.remove(watched)
	}
}

// forget drops what other instances have not told again for long; all where now is zero.
func (w *Poller) forget(t *tokenJobs, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forgetLocked(t, now)
}

func (w *Poller) forgetLocked(t *tokenJobs, now time.Time) {
	for from, r := range t.remotes {
		for watched, until := range r.until {
			if now.IsZero() || now.After(until) || w.jobs[watched.key] != watched {
				w.drop(r, watched)
			}
		}
		if len(r.until) == 0 {
			delete(t.remotes, from)
		}
	}
}
