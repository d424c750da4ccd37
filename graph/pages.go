package graph

import (
	"context"
	"errors"

	"jobgraph/graph/budget"
	"jobgraph/graph/errcode"
	"jobgraph/graph/projection"
	"jobgraph/upstream"
	"jobgraph/upstream/paging"
)

// All of Query.jobs that is ours, in the order in which it is answered: check, ask, show.

// defaultFirst is the schema's.
const defaultFirst = 20

// pageOf gives the page that the arguments ask for. Admission has checked first.
func (r *Resolver) pageOf(ctx context.Context, filter *upstream.Filter, first *int, after *string) (*projection.Connection, error) {
	request, err := pageRequest(ctx, filter, first, after)
	if err != nil {
		return nil, err
	}
	request.First = min(request.First, r.maxPage) // the schema's default may be more, and nothing else
	page, err := r.pages.Page(ctx, request)
	if err != nil {
		return nil, listError(err)
	}
	if answer := budget.HoldFrom(ctx).Answer(); answer != nil {
		for _, job := range page.Jobs {
			if err := answer.ReserveJob(job.Size()); err != nil {
				return nil, err
			}
		}
	}
	return connection(page, after != nil), nil
}

func pageRequest(ctx context.Context, filter *upstream.Filter, first *int, after *string) (paging.Request, error) {
	loader := loaderFrom(ctx)
	if loader == nil {
		return paging.Request{}, errNoLoader
	}
	request := paging.Request{Request: loader.request(), Filter: filter, First: defaultFirst}
	if first != nil {
		request.First = *first
	}
	if request.First < 1 {
		return request, badInput("first must be at least 1.")
	}
	if after != nil {
		cursor, err := paging.ParseCursor(*after)
		if err != nil {
			return request, badInput("after is not a cursor. Give the endCursor of a page, as it is.")
		}
		request.After = &cursor
	}
	if failed := upstream.ErrorOf(filter.Check()); failed != nil {
		return request, badInput(failed.Comment)
	}
	return request, nil
}

func badInput(message string) error {
	return &publicError{code: errcode.BadUserInput, message: message}
}

// listError tells why a list could not be had.
func listError(err error) error {
	if failed := upstream.ErrorOf(err); failed != nil {
		return shownError(failed)
	}
	return err
}

var errNoLists = errors.New("the source gives no lists")

// noLists is the lister of a source that is none.
type noLists struct{}

func (noLists) List(context.Context, upstream.ListRequest) (*upstream.List, error) {
	return nil, errNoLists
}

func connection(page *paging.Page, after bool) *projection.Connection {
	c := &projection.Connection{
		Edges:    make([]projection.Edge, len(page.Jobs)),
		Nodes:    make([]*upstream.EncodedJob, len(page.Jobs)),
		PageInfo: projection.PageInfo{HasNextPage: page.More, HasPreviousPage: after},
	}
	for i, job := range page.Jobs {
		c.Nodes[i] = job.EncodedJob
		c.Edges[i] = projection.Edge{Node: job.EncodedJob, Cursor: page.Cursors[i].String()}
		if job.Username != "" {
			c.Edges[i].Username = &job.Username
		}
	}
	if n := len(c.Edges); n > 0 {
		c.PageInfo.StartCursor, c.PageInfo.EndCursor = &c.Edges[0].Cursor, &c.Edges[n-1].Cursor
	}
	return c
}
