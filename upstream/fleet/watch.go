package fleet

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"jobgraph/upstream"
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
	f.subscribe(w.channels, w.hear, w.subscribed)
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
	m := &membership{Watching: w, name: rand.Text(), token: token, who: who, hear: hear,
		lease: w.fleet.Key("lease", who...), counter: w.fleet.Key("counter", who...), state: w.fleet.Key("state", who...)}
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

// Leave ends the part.
func (m *membership) Leave() {
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

// A lease is a hash: the holder h, the fencing number f, and the number s of the states
// stored under it. The counter has the last fencing number f and the turn t, and outlives it. What is
// anything else is removed; a lease without an end is none, and so is one whose number is
// below what the caller knows: the numbers were lost, and begin above it.
var claimScript = rueidis.NewLuaScript(`
for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'hash' and kind ~= 'none' then redis.call('UNLINK', key) end
end
local function number(key, field)
  local n = tonumber(redis.call('HGET', key, field) or '') or 0
  if n ~= math.floor(n) or n < 0 or n > 2^50 then return 0 end
  return n
end
local me, known, ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local holder, fence = redis.call('HGET', KEYS[1], 'h'), number(KEYS[1], 'f')
if holder and (fence == 0 or fence < known or redis.call('PTTL', KEYS[1]) < 0) then holder = false end
if not holder then
  fence = math.max(known, fence, number(KEYS[2], 'f')) + 1
  redis.call('UNLINK', KEYS[1])
  redis.call('HSET', KEYS[1], 'h', me, 'f', fence, 's', 0)
  holder = me
end
if holder == me then redis.call('PEXPIRE', KEYS[1], ttl) end
local turn = number(KEYS[2], 't') + 1
redis.call('HSET', KEYS[2], 'f', fence, 't', turn)
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return {holder == me and 1 or 0, fence, number(KEYS[1], 's'), turn, redis.call('PTTL', KEYS[1])}
`)

var storeScript = rueidis.NewLuaScript(`
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' or redis.call('HGET', KEYS[1], 'h') ~= ARGV[1]
  or redis.call('HGET', KEYS[1], 'f') ~= ARGV[2] then return {0, 0} end
local seq = redis.call('HINCRBY', KEYS[1], 's', 1)
local state = ARGV[2] .. ' ' .. seq .. ' ' .. ARGV[3]
redis.call('SET', KEYS[2], state, 'PX', ARGV[4])
redis.call('PUBLISH', ARGV[5], ARGV[6] .. state)
return {1, seq}
`)

var releaseScript = rueidis.NewLuaScript(`
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' or redis.call('HGET', KEYS[1], 'h') ~= ARGV[1] then return 0 end
redis.call('UNLINK', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
`)

var removeScript = rueidis.NewLuaScript(`
if redis.call('TYPE', KEYS[1]).ok ~= 'string' or redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
`)

// numbers are what a script returns.
func numbers(f *Fleet, ctx context.Context, bytes int, script *rueidis.Lua, keys []string, args ...string) ([]int64, error) {
	return Run(ctx, f, bytes, func(ctx context.Context, redis rueidis.Client) ([]int64, error) {
		return script.Exec(ctx, redis, keys, args).AsIntSlice()
	})
}

func millis(d time.Duration) string { return strconv.FormatInt(max(d.Milliseconds(), 1), 10) }

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

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

func (m *membership) tell(message poll.Message) {
	m.hearing.Lock()
	defer m.hearing.Unlock()
	m.hear(message)
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

// What a state begins with.
const (
	stateJob   = 1
	stateError = 2
	stateLast  = 4 // or this
)

// wireError is an [upstream.Error] as clients see it.
type wireError struct {
	Type         upstream.ErrorType
	Comment      string
	JobID        string
	UpstreamType *string
	Status       int
	RetryAfter   time.Duration
}

// encodeState is a byte that says what it is, the turn, the id with its length, and the
// job's record or the error as JSON.
func encodeState(state poll.SharedState) []byte {
	kind, rest := byte(stateJob), ""
	switch result := state.State.(type) {
	case *upstream.EncodedJob:
		rest = string(result.Record)
	case *upstream.Error:
		text, _ := json.Marshal(wireError{result.Type, result.Comment, result.JobID, result.UpstreamType, result.Status, result.RetryAfter})
		kind, rest = stateError, string(text)
	}
	if state.Last {
		kind |= stateLast
	}
	to := binary.AppendUvarint([]byte{kind}, uint64(state.Turn))
	to = binary.AppendUvarint(to, uint64(len(state.ID)))
	return append(append(to, state.ID...), rest...)
}

func decodeState(value []byte) (state poll.SharedState, ok bool) {
	if len(value) == 0 {
		return state, false
	}
	kind, value := value[0], value[1:]
	turn, n := binary.Uvarint(value)
	if n <= 0 {
		return state, false
	}
	value = value[n:]
	length, n := binary.Uvarint(value)
	if n <= 0 || length > uint64(len(value)-n) {
		return state, false
	}
	id, rest := string(value[n:n+int(length)]), value[n+int(length):]
	state = poll.SharedState{ID: id, Last: kind&stateLast != 0, Turn: int64(turn)}
	switch kind &^ stateLast {
	case stateJob:
		state.State = &upstream.EncodedJob{Record: upstream.Record(rest)}
	case stateError:
		var e wireError
		if json.Unmarshal(rest, &e) != nil {
			return state, false
		}
		state.State = &upstream.Error{Type: e.Type, Comment: e.Comment, JobID: e.JobID, UpstreamType: e.UpstreamType, Status: e.Status, RetryAfter: e.RetryAfter}
	default:
		return state, false
	}
	return state, true
}
