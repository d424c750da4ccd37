package graph

import (
	"github.com/99designs/gqlgen/graphql"

	"jobgraph/graph/generated"
	"jobgraph/upstream"
)

func referencedIDs(representations []*generated.JobRepresentation) []string {
	ids := make([]string, len(representations))
	for i, representation := range representations {
		if representation.ID != nil {
			ids[i] = *representation.ID
		}
	}
	return ids
}

// entities is what a gateway gets for its references: a job that does not exist
// is null, any other failure is null with an error at that reference's path.
func entities(results []upstream.Result, err error) ([]*upstream.Job, error) {
	if err != nil {
		return nil, err
	}
	jobs := make([]*upstream.Job, len(results))
	failures := make(graphql.BatchErrorList, len(results))
	failed := false
	for i, result := range results {
		switch result := result.(type) {
		case *upstream.Job:
			jobs[i] = result
		case *upstream.Error:
			if result.Type != upstream.ItemNotFound {
				failures[i], failed = referenceError(result), true
			}
		}
	}
	if failed {
		return jobs, failures
	}
	return jobs, nil
}
