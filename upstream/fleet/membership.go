package fleet

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"jobgraph/upstream"
	"jobgraph/upstream/poll"
)

// tag is the HMAC in a name.
func tag(name string) string {
	return name[strings.IndexByte(name, '{')+1 : len(name)-1]
}

// membership is this instance's part for one token.
type membership struct {
	*Watching
	name    string
	token   string
	who     []string // the token's identity
	tag     string
	lease   string // its key
	counter string
	state   string // what the keys of its jobs' states begin with
	channel string
	hearing sync.Mutex // while hear is called
	hear    func(poll.Message)
}

// Join takes part for a token.
func (w *Watching) Join(token string, hear func(poll.Message)) poll.Membership {
	who, ok := w.identity(token)
	if !ok {
		who = []string{rand.Text()}
	}
	parts := append([]string{upstream.Layout}, who...)
	m := &membership{Watching: w, name: rand.Text(), token: token, who: who, hear: hear,
		lease: w.fleet.Key("lease", parts...), counter: w.fleet.Key("counter", parts...), state: w.fleet.Key("state", parts...)}
	m.tag = tag(m.lease)
	shard := fnv.New32a()
	_, _ = shard.Write([]byte(m.tag))
	m.channel = w.channels[shard.Sum32()%shards]
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.members[m.tag] == nil {
		w.members[m.tag] = map[*membership]struct{}{}
	}
	w.members[m.tag][m] = struct{}{}
	return m
}

// Close ends the part.
func (m *membership) Close() {
	m.mu.Lock()
	delete(m.members[m.tag], m)
	if len(m.members[m.tag]) == 0 {
		delete(m.members, m.tag)
	}
	m.mu.Unlock()
	m.hearing.Lock()
	defer m.hearing.Unlock()
	m.hear = func(poll.Message) {}
}

// stateKey is the key of a job's state, in the slot of the token's lease.
func (m *membership) stateKey(idTag string) string { return m.state + idTag }

func (m *membership) idTag(id string) string { return tag(m.fleet.Key("job", id)) }

// changed says whether the token stands for another caller by now: nothing is shared then.
func (m *membership) changed() bool {
	who, ok := m.identity(m.token)
	return !ok || !slices.Equal(who, m.who)
}

// Claim takes or renews the lease.
func (m *membership) Claim(ctx context.Context, known int64, lease time.Duration) (poll.Claim, error) {
	if m.changed() {
		return poll.Claim{}, ErrSkipped
	}
	n, err := numbers(m.fleet, ctx, 0, claimScript, []string{m.lease, m.counter},
		m.name, decimal(known), millis(lease), millis(counterTTL))
	if err != nil || len(n) != 5 {
		return poll.Claim{}, orSkipped(err)
	}
	return poll.Claim{Held: n[0] == 1, Fence: n[1], Seq: n[2], Turn: n[3], Left: time.Duration(n[4]) * time.Millisecond}, nil
}

// orSkipped is an error in any case.
func orSkipped(err error) error {
	if err == nil {
		return ErrSkipped
	}
	return err
}

// Release gives up the lease.
func (m *membership) Release(ctx context.Context, _ int64) {
	_, _ = Run(ctx, m.fleet, 0, func(ctx context.Context, redis rueidis.Client) (int64, error) {
		return releaseScript.Exec(ctx, redis, []string{m.lease}, []string{m.name, m.channel, m.message(notice{Released: true})}).AsInt64()
	})
}

// Store stores and publishes a state.
func (m *membership) Store(ctx context.Context, fence int64, state poll.SharedState) (at poll.Position, held bool, err error) {
	select {
	case m.stores <- struct{}{}:
		defer func() { <-m.stores }()
	case <-ctx.Done():
		return at, false, ctx.Err()
	}
	idTag := m.idTag(state.ID)
	key := m.stateKey(idTag)
	sealed := rueidis.BinaryString(m.fleet.Seal(key, encodeState(state)))
	if m.changed() || len(sealed) > maxState-64 { // the numbers stand before it
		return at, false, ErrSkipped
	}
	ttl := stateTTL
	if state.Last {
		ttl = settledTTL
	}
	n, err := numbers(m.fleet, ctx, len(sealed), storeScript, []string{m.lease, key}, m.name, decimal(fence), sealed, millis(ttl),
		m.channel, "S"+m.tag+idTag)
	if err != nil || len(n) != 2 {
		return at, false, orSkipped(err)
	}
	return poll.Position{Fence: fence, Seq: n[1]}, n[0] == 1, nil
}

// Load gives the latest states of jobs.
func (m *membership) Load(ctx context.Context, ids []string) (states []poll.SharedState, err error) {
	keys := make([]string, len(ids))
	for n, id := range ids {
		keys[n] = m.stateKey(m.idTag(id))
	}
	values, err := Run(ctx, m.fleet, 1<<10*len(ids), func(ctx context.Context, redis rueidis.Client) ([]string, error) {
		commands := make(rueidis.Commands, len(keys))
		for n, key := range keys {
			commands[n] = redis.B().Getrange().Key(key).Start(0).End(maxState).Build()
		}
		values := make([]string, len(keys))
		for n, answer := range redis.DoMulti(ctx, commands...) {
			text, err := answer.ToString()
			if fails(err) {
				return nil, err
			}
			values[n] = text
		}
		return values, nil
	})
	if err != nil {
		return nil, err
	}
	for n, value := range values {
		if state, ok := m.open(keys[n], value); ok && state.ID == ids[n] {
			states = append(states, state)
		}
	}
	return states, nil
}

// Remove removes a job's state.
func (m *membership) Remove(ctx context.Context, id string, at poll.Position) {
	key := m.stateKey(m.idTag(id))
	m.fleet.Later(0, func(ctx context.Context, redis rueidis.Client) error {
		return removeScript.Exec(ctx, redis, []string{key}, []string{decimal(at.Fence) + " " + decimal(at.Seq) + " "}).Error()
	})
}

// Interest tells the others which jobs this instance watches.
func (m *membership) Interest(ctx context.Context, interest poll.Interest) error {
	message := m.message(notice{Interest: &interest})
	_, err := Run(ctx, m.fleet, len(message), func(ctx context.Context, redis rueidis.Client) (int64, error) {
		return redis.Do(ctx, redis.B().Publish().Channel(m.channel).Message(message).Build()).AsInt64()
	})
	return err
}

// notice is a message that is no state.
type notice struct {
	Interest *poll.Interest `json:",omitempty"`
	Released bool           `json:",omitempty"`
}

// message is "N", the token's tag, and the notice, sealed for both. That of a state is "S", the
// tags of the token and of the job, and what is stored under its key.
func (m *membership) message(n notice) string {
	text, _ := json.Marshal(n) // it has nothing that cannot be
	return "N" + m.tag + rueidis.BinaryString(m.fleet.Seal(m.channel+m.tag, text))
}

func (m *membership) tell(message poll.Message) {
	m.hearing.Lock()
	defer m.hearing.Unlock()
	m.hear(message)
}

// open reads what a key or a message has: the position, and the sealed state.
func (m *membership) open(key, text string) (state poll.SharedState, ok bool) {
	fence, text, _ := strings.Cut(text, " ")
	seq, text, _ := strings.Cut(text, " ")
	at := poll.Position{}
	var err, seqErr error
	at.Fence, err = strconv.ParseInt(fence, 10, 64)
	at.Seq, seqErr = strconv.ParseInt(seq, 10, 64)
	value, sealed := m.fleet.Open(key, []byte(text))
	if err != nil || seqErr != nil || !sealed {
		return state, false
	}
	state, ok = decodeState(value)
	state.At = at
	return state, ok
}
