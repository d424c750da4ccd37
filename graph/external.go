package graph

import (
	"context"
	"strings"

	"github.com/graph-gophers/dataloader/v7"
	"golang.org/x/sync/errgroup"

	"jobgraph/graph/budget"
	"jobgraph/upstream"
)

// maxExternal is how many external ids an operation asks for at the same time.
const maxExternal = 32

// newExternalLoader gives the newest job of each distinct external id of one operation, by
// one list each.
func newExternalLoader(lists upstream.Lister, request func() upstream.Request) *dataloader.Loader[string, upstream.Result] {
	batch := func(ctx context.Context, ids []string) []*dataloader.Result[upstream.Result] {
		results := make([]*dataloader.Result[upstream.Result], len(ids))
		answer := budget.HoldFrom(ctx).Answer()
		ctx, cancel := context.WithCancelCause(ctx) // nothing more is asked for an answer that is refused
		defer cancel(nil)
		var group errgroup.Group
		group.SetLimit(maxExternal)
		for n, id := range ids {
			group.Go(func() error {
				job, err := newestOf(ctx, lists, request(), id)
				if err == nil && answer != nil {
					if err = answer.ReserveJob(job.Size()); err != nil {
						cancel(err)
					}
				}
				results[n] = resultOf(job, err)
				return nil
			})
		}
		_ = group.Wait()
		return results
	}
	return dataloader.NewBatchedLoader(batch,
		dataloader.WithWait[string, upstream.Result](0),
		dataloader.WithInputCapacity[string, upstream.Result](batchCapacity))
}

// newestOf is the newest job that has the external id. Its error tells of a job. A panic
// becomes one: in a goroutine of its own it would end the process.
func newestOf(ctx context.Context, lists upstream.Lister, r upstream.Request, externalID string) (job *upstream.EncodedJob, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = upstream.PanicError(value)
		}
	}()
	list, err := lists.List(ctx, upstream.ListRequest{Request: r,
		Filter: &upstream.Filter{ExternalID: &externalID}, Selection: upstream.Selection{Most: 1}})
	if failed := upstream.ErrorOf(err); failed != nil {
		own := *failed
		own.JobID, own.Comment = externalID, strings.TrimPrefix(failed.Comment, "filter.")
		return nil, &own
	}
	if err != nil {
		return nil, err
	}
	if len(list.Jobs) == 0 {
		return nil, &upstream.Error{Type: upstream.ItemNotFound, JobID: externalID, Comment: "No job has this externalId."}
	}
	return list.Jobs[0].EncodedJob, nil
}
