// Package graph serves GraphQL over the job API: the data's way is HTTP ->
// operation -> resolver -> loader -> upstream client.
package graph

import "jobgraph/upstream/poll"

// Resolver is the root of the resolvers in *.resolvers.go.
type Resolver struct {
	watches *poll.Watches
}
