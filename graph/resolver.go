package graph

import "jobgraph/upstream/poll"

// Resolver is the root of the resolvers in *.resolvers.go.
type Resolver struct {
	poller *poll.Poller
}
