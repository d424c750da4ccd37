package policy

import (
	"time"

	"jobgraph/upstream/keyedhash"
)

const (
	// sampled is how many tokens are looked at, of those that asked last, to say whether
	// they fail alike, and fewAlike how many have to where some may just have had bad luck.
	sampled  = 100
	fewAlike = 5
)

// failing says whether it is time to open a circuit that has just counted a failure; of
// is its token, nil for all. The calls that are under way and were asked before the last
// one that failed may all be good yet.
func (b *Breaker) failing(c *circuit, of *tokenCircuit, now time.Time) bool {
	ok, failed := c.counts(b.second(now))
	row := c.inARow >= failuresInARow && now.Sub(c.lastGood) >= quietFor
	rate := ok+failed >= windowCalls && failed >= ok
	if !row && !rate {
		return false
	}
	pending := 0
	for p := b.pending.after; p != &b.pending && p.number < c.lastFailed; p = p.after {
		if of == nil && p.ofAll == c.generation || of != nil && p.token == of && p.ofToken == c.generation {
			pending++
		}
	}
	return row && c.inARow >= failuresInARow+pending || rate && failed >= ok+pending
}

// alike says whether tokens fail alike, so that there is no use in asking for any: nine in
// ten of those that asked last do. A token's failures with no good answer in the window
// are a failing token's; after good ones they may be bad luck, unless several tokens have
// it at once. sole is the token where there is but one.
func (b *Breaker) alike(now time.Time) (sole *tokenCircuit, alike bool) {
	var well, unlucky, failing int
	quiet := now.Sub(b.all.lastGood) >= quietFor
	for at := b.recent.Front(); at != nil && well+unlucky+failing < sampled; at = at.Next() {
		t := at.Value.(*tokenCircuit)
		ok, failed := t.counts(b.second(now))
		switch {
		case ok+failed == 0:
		case t.open || ok == 0:
			failing++
			sole = t
		case t.inARow == 0 || !quiet && ok > failed:
			well++
		default:
			unlucky++
		}
	}
	if failing+unlucky > 1 {
		sole = nil
	}
	return sole, 9*well <= failing+unlucky && (unlucky == 0 || failing+unlucky >= fewAlike)
}

func (b *Breaker) openAll(sole *tokenCircuit, now time.Time) report {
	b.sole = sole
	b.all.change(true, now)
	b.observer.BreakerChanged(true)
	return report{kind: openedForAll, attrs: b.all.attrs(b.second(now))}
}

// closeAll tells as well of the tokens whose circuits stay open: while one was open for all,
// nothing was said of them. by is the token that was answered.
func (b *Breaker) closeAll(by *tokenCircuit, now time.Time) []report {
	b.sole = nil
	news := []report{{kind: closedForAll, attrs: b.all.since(now)}}
	b.all.change(false, now)
	b.observer.BreakerChanged(false)
	for at := b.recent.Front(); at != nil; at = at.Next() {
		if t := at.Value.(*tokenCircuit); t.open && !t.logged && t != by {
			news = append(news, b.tellOpen(t, now))
		}
	}
	return news
}

func (b *Breaker) openToken(t *tokenCircuit, now time.Time) []report {
	t.change(true, now)
	b.open++
	b.observer.TokenBreakersOpen(b.open)
	if b.all.open { // see closeAll
		t.logged = false
		return nil
	}
	return []report{b.tellOpen(t, now)}
}

func (b *Breaker) tellOpen(t *tokenCircuit, now time.Time) report {
	t.logged = true
	return report{kind: openedForToken, attrs: append(t.attrs(b.second(now)), "tokens_open", b.open)}
}

func (b *Breaker) closeToken(t *tokenCircuit, now time.Time) (news []report) {
	b.open--
	if t.logged {
		news = []report{{kind: closedForToken, attrs: append(t.since(now), "tokens_open", b.open)}}
	}
	t.change(false, now)
	b.observer.TokenBreakersOpen(b.open)
	return news
}

// change opens or closes. What a closed circuit counts begins anew.
func (c *circuit) change(open bool, now time.Time) {
	c.open = open
	c.generation++
	c.opened, c.nextProbe = now, now.Add(probeDelay())
	if !open {
		c.window = window{newest: c.newest}
	}
}

// since tells a log how long the circuit was open.
func (c *circuit) since(now time.Time) []any {
	return []any{"open_for", now.Sub(c.opened).Round(time.Millisecond)}
}

// remember makes a circuit for a token, and room for it. Idle tokens are forgotten; so
// are those that asked longest ago where there are too many: what they fail is counted
// again.
func (b *Breaker) remember(token keyedhash.Sum, now time.Time) *tokenCircuit {
	for range 2 { // so there are soon no more than asked lately
		if last := b.recent.Back(); last != nil && now.Sub(last.Value.(*tokenCircuit).lastUse) > tokenIdle {
			b.remove(last.Value.(*tokenCircuit))
		}
	}
	for at := b.recent.Back(); at != nil && len(b.tokens) >= b.max; {
		t := at.Value.(*tokenCircuit)
		at = at.Prev()
		b.remove(t)
	}
	t := &tokenCircuit{token: token}
	t.newest = b.second(now)
	t.at = b.recent.PushFront(t)
	b.tokens[token] = t
	return t
}

// remove drops a token that has no call under way. An open circuit that nobody asks is
// closed with it, unless it is why there is one open for all.
func (b *Breaker) remove(t *tokenCircuit) {
	if t.calls > 0 || b.sole == t {
		return
	}
	if t.open {
		b.open--
		b.observer.TokenBreakersOpen(b.open)
	}
	b.recent.Remove(t.at)
	delete(b.tokens, t.token)
}

// permit is a new one, the last of those under way.
func (b *Breaker) permit(t *tokenCircuit) *Permit {
	p := &Permit{}
	if n := len(b.spare); n > 0 {
		p, b.spare = b.spare[n-1], b.spare[:n-1]
	}
	b.asked++
	t.calls++
	*p = Permit{t, b.asked, t.generation, b.all.generation, b.pending.previous, &b.pending}
	p.previous.after, b.pending.previous = p, p
	return p
}

func (b *Breaker) takeBack(p *Permit) {
	p.token.calls--
	p.previous.after, p.after.previous = p.after, p.previous
	*p = Permit{}
	if len(b.spare) < 16 {
		b.spare = append(b.spare, p)
	}
}
