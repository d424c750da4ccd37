package load

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Tally is what became of all that was asked for a while.
type Tally struct {
	// Right answers are compared byte for byte; Wrong ones are all others that were not
	// Refused with 503, failed connections included.
	Right, Wrong, Refused int
	// Bare refusals have no Retry-After.
	Bare int
	// AnsweredIn is since the moment at which it was meant to be asked: whoever had to wait
	// for a connection has waited as well.
	AnsweredIn Latencies
	// RefusedIn is since the request was sent.
	RefusedIn Latencies
	Took      time.Duration
	// Samples are the first wrong answers.
	Samples []string
}

// Latencies are in no order.
type Latencies []time.Duration

// Percentile of 50 is the median; 0 where there is none.
func (l Latencies) Percentile(p float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	slices.SortFunc(l, cmp.Compare)
	return l[int(float64(len(l)-1)*p/100)]
}

// PerSecond is how many right answers came in a second.
func (t *Tally) PerSecond() float64 { return float64(t.Right) / t.Took.Seconds() }

// Add puts another tally to this one.
func (t *Tally) Add(more *Tally) {
	t.Took += more.Took
	t.Right, t.Wrong, t.Refused, t.Bare = t.Right+more.Right, t.Wrong+more.Wrong, t.Refused+more.Refused, t.Bare+more.Bare
	t.AnsweredIn, t.RefusedIn = append(t.AnsweredIn, more.AnsweredIn...), append(t.RefusedIn, more.RefusedIn...)
	t.Samples = append(t.Samples, more.Samples...)[:min(3, len(t.Samples)+len(more.Samples))]
}

// Closed asks over so many connections, each as soon as it has its answer: what comes of
// that is the most that the server can do.
func Closed(url string, connections int, long time.Duration) Tally {
	began := time.Now()
	return run(url, NewMix, connections, began, func() (time.Time, bool) {
		now := time.Now()
		return now, now.Sub(began) < long
	})
}

// Open asks so many times a second, whatever becomes of it, as people do who do not know
// of each other. Where all connections wait for answers, what is asked next waits too,
// and its latency counts from when it was meant to be asked.
func Open(url string, connections int, perSecond float64, long time.Duration) Tally {
	return open(url, NewMix, connections, perSecond, long)
}

func open[E exchanges](url string, exchanges func() E, connections int, perSecond float64, long time.Duration) Tally {
	began := time.Now()
	var arrivals atomic.Int64
	return run(url, exchanges, connections, began, func() (time.Time, bool) {
		after := time.Duration(float64(arrivals.Add(1)-1) / perSecond * float64(time.Second))
		return began.Add(after), after < long
	})
}

// run has each connection ask at the next moment until there is none. It opens them
// when they are needed.
func run[E exchanges](url string, exchanges func() E, connections int, began time.Time, next func() (time.Time, bool)) Tally {
	var mu sync.Mutex
	var all Tally
	var askers sync.WaitGroup
	for range connections {
		askers.Go(func() {
			a := asker{url: url, exchanges: exchanges()}
			defer a.close()
			for {
				at, ok := next()
				if !ok {
					break
				}
				time.Sleep(time.Until(at))
				a.ask(at)
			}
			mu.Lock()
			defer mu.Unlock()
			all.Add(&a.Tally)
		})
	}
	askers.Wait()
	all.Took = time.Since(began)
	return all
}

// asker is one connection, open or not, and what became of what it asked.
type asker struct {
	Tally
	url       string
	exchanges exchanges
	conn      *connection
}

// exchanges makes what one connection asks.
type exchanges interface{ next() exchange }

// exchangeTimeout bounds one exchange: far more than it needs.
const exchangeTimeout = 30 * time.Second

func (a *asker) ask(at time.Time) {
	e := a.exchanges.next()
	sent := time.Now()
	got, err := a.send(e.body)
	took := time.Since(at)
	switch {
	case err != nil:
		a.wrong(err.Error())
		a.close()
	case got.status == 503:
		a.Refused++
		a.RefusedIn = append(a.RefusedIn, time.Since(sent))
		if got.retryAfter == "" {
			a.Bare++
		}
	case got.status == 200 && e.right(got.body):
		a.Right++
		a.AnsweredIn = append(a.AnsweredIn, took)
	default:
		a.wrong(fmt.Sprintf("%s\nis answered with %d %s", e.body, got.status, got.body))
		a.AnsweredIn = append(a.AnsweredIn, took)
	}
	if err == nil && got.last {
		a.close()
	}
}

func (a *asker) wrong(sample string) {
	a.Wrong++
	if len(a.Samples) < 3 {
		a.Samples = append(a.Samples, sample[:min(len(sample), 2000)])
	}
}

func (a *asker) send(body []byte) (reply, error) {
	if a.conn == nil {
		conn, err := dial(a.url)
		if err != nil {
			return reply{}, err
		}
		a.conn = conn
	}
	if err := a.conn.SetDeadline(time.Now().Add(exchangeTimeout)); err != nil {
		return reply{}, err
	}
	return a.conn.ask(body)
}

func (a *asker) close() {
	if a.conn != nil {
		_ = a.conn.Close()
		a.conn = nil
	}
}

// Ratio is a over b, infinite where b is nothing.
func Ratio(a, b time.Duration) float64 {
	if b == 0 {
		return math.Inf(1)
	}
	return float64(a) / float64(b)
}
