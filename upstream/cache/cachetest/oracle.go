// Package cachetest plays a job API that changes all the time, and says of what callers
// are told whether they may be told it: not another token's, not older than is stated,
// and not older than what a finished look for fresh data has seen before they asked.
package cachetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"jobgraph/upstream"
)

// Clock is a time that the test moves.
type Clock struct{ nanos atomic.Int64 }

// NowNano is otter.Clock's.
func (c *Clock) NowNano() int64 { return c.nanos.Load() }

// Tick is otter.Clock's; nothing ticks.
func (c *Clock) Tick(time.Duration) <-chan time.Time { return nil }

// Advance moves the time on.
func (c *Clock) Advance(d time.Duration) { c.nanos.Add(int64(d)) }

// Oracle is the job API, what it was asked, and what came of it.
type Oracle struct {
	clock *Clock

	mu     sync.Mutex
	random *rand.Rand
	turn   int // one more for each thing that happens
	looks  map[string]*look
	floors map[pair]int
	hang   bool
	open   int
}

type pair struct{ token, id string }

// look is one request of the job API. Turns are 0 until they are known.
type look struct {
	pair
	at           int64 // the time when the job was looked at
	keptFor      time.Duration
	begun, ended int // the turns of the call
}

// Moment is what there was when somebody began to ask.
type Moment struct {
	at     int64
	turn   int
	floors map[pair]int
}

// New returns an oracle whose answers the seed decides.
func New(seed uint64, clock *Clock) *Oracle {
	return &Oracle{clock: clock, random: rand.New(rand.NewPCG(seed, 1)),
		looks: map[string]*look{}, floors: map[pair]int{}}
}

// ServeHTTP gives a job in some state, or a failure. Its name or comment names the look.
func (o *Oracle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.count(1)
	defer o.count(-1)
	l := &look{pair: pair{r.URL.Query().Get("api_token"), r.URL.Query().Get("job_id")}, at: o.clock.NowNano()}
	name, kind, pause := o.begin(l)
	if pause {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch {
	case kind < 5:
		fmt.Fprintf(w, `{"JobId": %q, "JobName": %q, "JobStatus": "Pending"}`, l.id, name)
	case kind < 7:
		fmt.Fprintf(w, `{"JobId": %q, "JobName": %q, "JobStatus": "Complete", "ReturnDate": "2014-08-27T14:10:42"}`, l.id, name)
	case kind < 8:
		fmt.Fprint(w, `{"JobId"`) // a failure that may be gone at the next try
	default:
		w.WriteHeader(http.StatusBadRequest)
		errorType := upstream.ItemNotFound
		if kind == 9 {
			errorType = upstream.BadAPIToken
		}
		fmt.Fprintf(w, `{"ErrorType": %q, "ErrorComment": %q}`, errorType, name)
	}
}

// begin decides what comes of a look, after a while that lets others overtake it.
func (o *Oracle) begin(l *look) (name string, kind int, hangs bool) {
	o.mu.Lock()
	name = fmt.Sprint("look ", len(o.looks))
	o.looks[name] = l
	kind = o.random.IntN(10)
	delay := time.Duration(o.random.IntN(1500)) * time.Microsecond
	quick := o.random.IntN(3) == 0
	hangs = o.hang
	l.keptFor = [10]time.Duration{time.Second, time.Second, time.Second, time.Second, time.Second,
		time.Minute, time.Minute, 0, time.Second, 0}[kind]
	o.mu.Unlock()
	if !quick {
		time.Sleep(delay)
	}
	return name, kind, hangs
}

func (o *Oracle) count(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open += n
}

// Hang has no request answered any more.
func (o *Oracle) Hang(hang bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hang = hang
}

// Open is how many requests are under way.
func (o *Oracle) Open() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open
}

// Looks is how many requests there were.
func (o *Oracle) Looks() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.looks)
}

// Begin is called before something is asked.
func (o *Oracle) Begin() Moment {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turn++
	return Moment{o.clock.NowNano(), o.turn, maps.Clone(o.floors)}
}

// Check says what is wrong with a caller's being told of a look, with a text that is
// the job's name or the error's comment. What names no look is not looked at.
func (o *Oracle) Check(m Moment, token, id, text string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.looks[text]
	p := pair{token, id}
	switch {
	case l == nil:
		return nil
	case l.pair != p:
		return fmt.Errorf("%v was told of %v", p, l.pair)
	case l.begun != 0 && l.begun < m.floors[p]:
		return fmt.Errorf("%v: %s began in turn %d, and a look of turn %d had ended before", p, text, l.begun, m.floors[p])
	case l.ended != 0 && l.ended < m.turn && time.Duration(m.at-l.at) >= l.keptFor:
		return fmt.Errorf("%v: %s is %v old, and had ended", p, text, time.Duration(m.at-l.at))
	}
	return nil
}

// Seen tells that a look for fresh data has ended with the text.
func (o *Oracle) Seen(token, id, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l := o.looks[text]; l != nil {
		p := pair{token, id}
		o.floors[p] = max(o.floors[p], l.begun)
	}
}

// Source is the client as the cache's source: the oracle hears when each call began
// and ended.
func (o *Oracle) Source(client *upstream.Client) *Source { return &Source{client, o} }

// Source is [Oracle.Source]'s.
type Source struct {
	client *upstream.Client
	oracle *Oracle
}

// Job is the client's.
func (s *Source) Job(ctx context.Context, token, id string) (*upstream.Job, error) {
	k := &keeper{Keeper: upstream.KeeperFrom(ctx), oracle: s.oracle}
	job, err := s.client.Job(upstream.WithKeeper(ctx, k), token, id)
	// A call that was overtaken has told no keeper of its end.
	s.oracle.ended(k.begun.Load(), Text(job, err))
	return job, err
}

type keeper struct {
	upstream.Keeper
	oracle *Oracle
	begun  atomic.Int64
}

func (k *keeper) CallBegun() {
	k.oracle.mu.Lock()
	k.oracle.turn++
	k.begun.Store(int64(k.oracle.turn))
	k.oracle.mu.Unlock()
	k.Keeper.CallBegun()
}

func (k *keeper) CallEnded(job *upstream.Job, err error) {
	k.oracle.ended(k.begun.Load(), Text(job, err))
	k.Keeper.CallEnded(job, err)
}

func (o *Oracle) ended(begun int64, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.looks[text]
	if l == nil {
		return
	}
	o.turn++
	if l.begun == 0 {
		l.begun = int(begun)
	}
	if l.ended == 0 {
		l.ended = o.turn
	}
}

// Text names the look that a result is of; "" where nothing does.
func Text(job *upstream.Job, err error) string {
	var failed *upstream.Error
	switch {
	case err == nil && job != nil && job.Name != nil:
		return *job.Name
	case errors.As(err, &failed):
		return failed.Comment
	default:
		return ""
	}
}
