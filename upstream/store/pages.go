package store

// number is a value's place in pages; 0 is none.
type number uint32

// pageSize is how many values a page has.
const pageSize = 256

// pages holds values in a few large allocations, for values without pointers: the collector
// looks into none of them. No value moves. The places of those that are removed are used
// again, and no page is given back.
type pages[V any] struct {
	pages [][]V
	free  []number
}

func (p *pages[V]) add(value V) number {
	if len(p.free) == 0 {
		p.pages = append(p.pages, make([]V, pageSize))
		for last := len(p.pages) * pageSize; len(p.free) < pageSize; last-- {
			p.free = append(p.free, number(last))
		}
	}
	n := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	*p.at(n) = value
	return n
}

func (p *pages[V]) at(n number) *V { return &p.pages[(n-1)/pageSize][(n-1)%pageSize] }

func (p *pages[V]) remove(n number) {
	*p.at(n) = *new(V)
	p.free = append(p.free, n)
}
