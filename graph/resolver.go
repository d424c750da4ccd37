package graph

import (
	"jobgraph/upstream/paging"
	"jobgraph/upstream/poll"
)

// Resolver is the root of the resolvers in *.resolvers.go.
type Resolver struct {
	poller *poll.Poller
	pages  paging.Pager
	// maxPage is the most jobs of a page.
	maxPage int
}
