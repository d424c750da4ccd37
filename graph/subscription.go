package graph

import (
	"context"
	"errors"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/errcode"
	"jobgraph/upstream/poll"
)

// singleRootField refuses subscriptions that pass validation and that gqlgen would fail on
// while they run: without a field, because of @skip, or with __typename.
type singleRootField struct{}

func (singleRootField) ExtensionName() string                          { return "singleRootField" }
func (singleRootField) Validate(schema graphql.ExecutableSchema) error { return nil }

// MutateOperationContext is gqlgen's name for a check before anything is executed.
func (singleRootField) MutateOperationContext(_ context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	if operation.Operation.Operation != ast.Subscription {
		return nil
	}
	fields := graphql.CollectFields(operation, operation.Operation.SelectionSet, []string{"Subscription"})
	if len(fields) == 1 && !strings.HasPrefix(fields[0].Name, "__") {
		return nil
	}
	return errcode.New(errcode.ValidationFailed, "A subscription must have exactly one field, such as jobUpdated.")
}

func isSubscription(ctx context.Context) bool {
	if !graphql.HasOperationContext(ctx) {
		return false
	}
	operation := graphql.GetOperationContext(ctx).Operation
	return operation != nil && operation.Operation == ast.Subscription
}

// watchError tells that the process watches all the jobs that it may.
func watchError(err error) error {
	if errors.Is(err, poll.ErrTooMany) {
		return &publicError{code: errcode.Overloaded,
			message: "This server watches as many jobs as it can. Try again later, or ask with job(ids:)."}
	}
	return err
}
