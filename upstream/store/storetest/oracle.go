// Package storetest plays a job API that changes all the time, and says of what callers
// are told whether they may be told it: not another token's, not older than is stated,
// not older than what a finished look for fresh data has seen before they asked, and
// nothing from before a refusal of the token that somebody was told of before they asked.
package storetest

import (
	"context"
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

// Now is in nanoseconds.
func (c *Clock) Now() int64 { return c.nanos.Load() }

// Advance moves the time on.
func (c *Clock) Advance(d time.Duration) { c.nanos.Add(int64(d)) }

// Oracle is the job API, what it was asked, and what came of it.
type Oracle struct {
	clock *Clock

	mu     sync.Mutex
	random *rand.Rand
	turn   int // one more for each thing that happens
	looks  map[string]*observation
	floors map[pair]int
	// refused is the turn in which the last refusal came of each token's, of those that
	// somebody was told of.
	refused map[string]int
	errors  map[pair]int       // how many there were
	named   map[errorOf]string // the last look of each
	hang    bool
	open    int
}

type pair struct{ token, id string }

type errorOf struct {
	pair
	status int
}

// look is one request of the job API. Turns are 0 until they are known.
type observation struct {
	pair
	at           int64 // the time when the job was looked at
	keptFor      time.Duration
	begun, ended int // the turns in which its call began, and somebody had its result
	came         int // the turn in which the source gave it
	refusal      bool
}

// Moment is what there was when somebody began to ask.
type Moment struct {
	at      int64
	turn    int
	floors  map[pair]int
	refused map[string]int
}

// New returns an oracle whose answers the seed decides.
func New(seed uint64, clock *Clock) *Oracle {
	return &Oracle{clock: clock, random: rand.New(rand.NewPCG(seed, 1)),
		looks: map[string]*observation{}, floors: map[pair]int{}, refused: map[string]int{},
		errors: map[pair]int{}, named: map[errorOf]string{}}
}

// ServeHTTP gives a job in some state, or a failure. Its name or comment names the look.
func (o *Oracle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.count(1)
	defer o.count(-1)
	l := &observation{pair: pair{r.URL.Query().Get("api_token"), r.URL.Query().Get("job_id")}, at: o.clock.Now()}
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
		w.WriteHeader(o.status(l.pair, name))
		errorType := upstream.ItemNotFound
		if kind == 9 {
			errorType = upstream.BadAPIToken
		}
		fmt.Fprintf(w, `{"ErrorType": %q, "ErrorComment": %q}`, errorType, name)
	}
}

// begin decides what comes of a look, after a while that lets others overtake it.
func (o *Oracle) begin(l *observation) (name string, kind int, hangs bool) {
	o.mu.Lock()
	name = fmt.Sprint("look ", len(o.looks))
	o.looks[name] = l
	kind = o.random.IntN(10)
	delay := time.Duration(o.random.IntN(1500)) * time.Microsecond
	quick := o.random.IntN(3) == 0
	hangs = o.hang
	l.refusal = kind == 9
	l.keptFor = [10]time.Duration{time.Second, time.Second, time.Second, time.Second, time.Second,
		time.Minute, time.Minute, 0, time.Second, 0}[kind]
	o.mu.Unlock()
	if !quick {
		time.Sleep(delay)
	}
	return name, kind, hangs
}

// status is one that names a look that is an error: no text of the job API reaches
// callers. It is used again when the look before is long forgotten.
func (o *Oracle) status(p pair, name string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.errors[p]++
	status := 430 + o.errors[p]%60
	o.named[errorOf{p, status}] = name
	return status
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
func (o *Oracle) Observations() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.looks)
}

// Begin is called before something is asked.
func (o *Oracle) Begin() Moment {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turn++
	return Moment{o.clock.Now(), o.turn, maps.Clone(o.floors), maps.Clone(o.refused)}
}

// Check says what is wrong with a caller's being told of a look, with a text that is
// the job's name or the error's comment. What names no look is not looked at.
func (o *Oracle) Check(m Moment, token, id, text string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.looks[text]
	if l == nil {
		return nil
	}
	p := pair{token, id}
	o.turn++
	defer func() {
		if l.ended == 0 {
			l.ended = o.turn
		}
		if l.refusal {
			o.refused[l.token] = max(o.refused[l.token], l.came)
		}
	}()
	switch {
	case l.pair != p:
		return fmt.Errorf("%v was told of %v", p, l.pair)
	case l.begun != 0 && l.begun < m.floors[p]:
		return fmt.Errorf("%v: %s began in turn %d, and a look asked for in turn %d had ended before", p, text, l.begun, m.floors[p])
	case l.begun != 0 && l.begun < m.refused[token]:
		return fmt.Errorf("%v: %s began in turn %d, and the token was refused in turn %d", p, text, l.begun, m.refused[token])
	case l.ended != 0 && l.ended < m.turn && time.Duration(m.at-l.at) >= l.keptFor:
		return fmt.Errorf("%v: %s is %v old, and had ended", p, text, time.Duration(m.at-l.at))
	}
	return nil
}

// Seen tells that somebody who asked for fresh data in that moment has a result: whoever
// asks from now on is told of no call that began before.
func (o *Oracle) Seen(m Moment, token, id, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.looks[text] != nil {
		p := pair{token, id}
		o.floors[p] = max(o.floors[p], m.turn)
	}
}

// Source is a source whose calls the oracle sees begin and end.
func (o *Oracle) Source(source upstream.Source) *Source { return &Source{source, o} }

// Source is [Oracle.Source]'s.
type Source struct {
	source upstream.Source
	oracle *Oracle
}

// Job is the source's, with the look's name for an error's comment.
func (s *Source) Job(ctx context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	begun := s.oracle.began()
	job, err := s.source.Job(ctx, r)
	err = s.oracle.name(pair{r.Token, r.Key.ID}, err)
	s.oracle.asked(begun, Text(job, err))
	return job, err
}

func (o *Oracle) name(p pair, err error) error {
	failed := upstream.ErrorOf(err)
	if failed == nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	name, ok := o.named[errorOf{p, failed.Status}]
	if !ok {
		return err
	}
	named := *failed
	named.Comment = name
	return &named
}

func (o *Oracle) began() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turn++
	return o.turn
}

// asked notes which call a look was of.
func (o *Oracle) asked(begun int, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l := o.looks[text]; l != nil && l.begun == 0 {
		o.turn++
		l.begun, l.came = begun, o.turn
	}
}

// Text names the look that a result is of; "" where nothing does.
func Text(job *upstream.EncodedJob, err error) string {
	if err == nil && job != nil && job.Name() != nil {
		return *job.Name()
	}
	if failed := upstream.ErrorOf(err); failed != nil {
		return failed.Comment
	}
	return ""
}
