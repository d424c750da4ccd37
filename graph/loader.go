package graph

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/graph-gophers/dataloader/v7"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"jobgraph/graph/budget"
	"jobgraph/graph/generated"
	"jobgraph/upstream"
)

// loader gives each distinct id of one operation to the source once. It lives as
// long as its operation does, so it never serves one caller's jobs to another.
type loader struct {
	jobs *dataloader.Loader[string, upstream.Result]
	// external is by external ids; few operations need it.
	external func() *dataloader.Loader[string, upstream.Result]
	// request asks as the operation does; its key has no id.
	request func() upstream.Request
	noted   observation
}

// batchCapacity is how many ids a batch takes without waiting to be read. The library's
// own 1,000 are 8 KB for each batch of each operation.
const batchCapacity = 64

// newLoader loads as the caller asks. A cached response needs no token's key: it is made
// for the first batch.
func newLoader(source upstream.Source, lists upstream.Lister, c caller, tracer trace.Tracer) *loader {
	l := &loader{}
	request := sync.OnceValue(func() upstream.Request {
		r := c.request()
		r.Tally = &l.noted.tally
		return r
	})
	batch := func(ctx context.Context, ids []string) []*dataloader.Result[upstream.Result] {
		if tracer != nil {
			var span trace.Span
			ctx, span = tracer.Start(ctx, "load jobs", trace.WithAttributes(attribute.Int("jobgraph.jobs", len(ids))))
			defer span.End()
		}
		results := loadAll(ctx, source, request(), ids)
		for _, result := range results {
			if failed, ok := result.Data.(*upstream.Error); ok {
				l.noted.fail(string(failed.Type))
			}
		}
		return results
	}
	// The job API has no batch call, so nothing is won by waiting for a fuller
	// batch: duplicates are merged by the loader's own cache at any wait.
	l.jobs = dataloader.NewBatchedLoader(batch,
		dataloader.WithWait[string, upstream.Result](0),
		dataloader.WithInputCapacity[string, upstream.Result](batchCapacity))
	l.external = sync.OnceValue(func() *dataloader.Loader[string, upstream.Result] { return newExternalLoader(lists, request) })
	l.request = request
	return l
}

var errNoLoader = errors.New("no loader in this context")

// prefetch begins to load the ids, which are loaded once.
func (l *loader) prefetch(ctx context.Context, ids []string) {
	for _, id := range ids {
		l.jobs.Load(ctx, id)
	}
}

// load gives one result for each id, in order. The error is the operation's, not a job's.
func (l *loader) load(ctx context.Context, ids []string) ([]upstream.Result, error) {
	if l == nil {
		return nil, errNoLoader
	}
	thunks := make([]dataloader.Thunk[upstream.Result], len(ids))
	for i, id := range ids {
		thunks[i] = l.jobs.Load(ctx, id)
	}
	return await(thunks)
}

// loadReferences gives one result for each reference, by the key that it has.
func (l *loader) loadReferences(ctx context.Context, references []*generated.JobRepresentation) ([]upstream.Result, error) {
	if l == nil {
		return nil, errNoLoader
	}
	thunks := make([]dataloader.Thunk[upstream.Result], len(references))
	for i, reference := range references {
		switch {
		case reference.ID == nil && reference.ExternalID != nil:
			thunks[i] = l.external().Load(ctx, *reference.ExternalID)
		case reference.ID != nil:
			thunks[i] = l.jobs.Load(ctx, *reference.ID)
		default:
			thunks[i] = l.jobs.Load(ctx, "")
		}
	}
	return await(thunks)
}

func await(thunks []dataloader.Thunk[upstream.Result]) ([]upstream.Result, error) {
	results := make([]upstream.Result, len(thunks))
	for i, thunk := range thunks {
		result, err := thunk()
		if err != nil {
			return nil, err
		}
		results[i] = result
	}
	return results, nil
}

// loadAll asks for all ids at the same time; the source bounds how many calls
// the process makes at once. It makes a job's failure data. A job counts for its answer as
// soon as it has come, whatever comes before it.
func loadAll(ctx context.Context, source upstream.Source, r upstream.Request, ids []string) (results []*dataloader.Result[upstream.Result]) {
	results = make([]*dataloader.Result[upstream.Result], len(ids))
	defer func() { // the library would print the panic, whatever it says
		if value := recover(); value != nil {
			failed := resultOf(nil, upstream.PanicError(value))
			for n := range results {
				results[n] = cmp.Or(results[n], failed)
			}
		}
	}()
	answer := budget.HoldFrom(ctx).Answer()
	ctx, cancel := context.WithCancelCause(ctx) // nothing more is asked for an answer that is refused
	defer cancel(nil)
	upstream.Jobs(ctx, source, r, ids, func(n int, job *upstream.EncodedJob, err error) {
		if err == nil && answer != nil {
			if err = answer.ReserveJob(job.Size()); err != nil {
				cancel(err)
			}
		}
		results[n] = resultOf(job, err)
	})
	return results
}

func resultOf(job *upstream.EncodedJob, err error) *dataloader.Result[upstream.Result] {
	failed := upstream.ErrorOf(err)
	switch {
	case err == nil:
		return &dataloader.Result[upstream.Result]{Data: job}
	case failed != nil:
		return &dataloader.Result[upstream.Result]{Data: failed}
	default:
		return &dataloader.Result[upstream.Result]{Error: err}
	}
}
