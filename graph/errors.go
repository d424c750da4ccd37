package graph

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/upstream"
	"jobgraph/upstream/watch"
)

// The values of extensions.code, beside gqlgen's GRAPHQL_PARSE_FAILED and
// GRAPHQL_VALIDATION_FAILED. An error at a federation reference has its
// [upstream.ErrorType] there.
const (
	codeBadUserInput = "BAD_USER_INPUT"
	codeInternal     = "INTERNAL_SERVER_ERROR"
	codeOverloaded   = "OVERLOADED"
)

// representationForm names no type: the schema may be hidden.
const representationForm = "Send objects with __typename and the fields of the entity's key."

// publicError is what a client may read of an error.
type publicError struct {
	code    string
	message string
	// retryable is shown where it is known.
	retryable *bool
	// retryAfter is in seconds.
	retryAfter *int
}

func (e *publicError) Error() string { return e.message }

// watchError tells that the process watches all the jobs that it may.
func watchError(err error) error {
	if errors.Is(err, watch.ErrTooMany) {
		return &publicError{code: codeOverloaded,
			message: "This server watches as many jobs as it can. Try again later, or ask with job(ids:)."}
	}
	return err
}

// referenceError tells a gateway why a reference has no job.
func referenceError(e *upstream.Error) error {
	if e.JobID == "" {
		return &publicError{code: string(upstream.InvalidQuery),
			message: "The representation is no reference to an entity of this subgraph. " + representationForm}
	}
	retryable := e.Retryable()
	return &publicError{code: string(e.Type), message: e.Comment,
		retryable: &retryable, retryAfter: e.RetryAfterSeconds()}
}

// presentError is the one place where errors become a client's. What is neither
// GraphQL's own nor a publicError is logged whole and masked.
func presentError(logger *slog.Logger) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		var public *publicError
		if errors.As(err, &public) {
			shown := located(ctx, err, public.message)
			shown.Extensions = map[string]any{"code": public.code}
			if public.retryable != nil {
				shown.Extensions["retryable"] = *public.retryable
			}
			if public.retryAfter != nil {
				shown.Extensions["retryAfterSeconds"] = *public.retryAfter
			}
			return shown
		}
		var own *gqlerror.Error
		if errors.As(err, &own) && own.Extensions["code"] != nil {
			if len(own.Path) > 0 && own.Path[0] == ast.PathName("variable") {
				return badVariable(ctx, own)
			}
			return own
		}
		switch {
		case ctx.Err() != nil:
			logger.DebugContext(ctx, "the caller left", "error", err)
		default:
			logger.ErrorContext(ctx, "operation failed", "error", err)
		}
		shown := located(ctx, err, "Internal server error. Try again; if it stays so, tell the operator of this server.")
		shown.Extensions = map[string]any{"code": codeInternal}
		return shown
	}
}

// badVariable says which variable does not fit by where it is declared: gqlgen's
// own text holds its value, and its path is none of the answer's.
func badVariable(ctx context.Context, known *gqlerror.Error) *gqlerror.Error {
	shown := &gqlerror.Error{Extensions: known.Extensions,
		Message: "The value of this variable is missing or does not fit its declared type."}
	if len(known.Path) < 2 || !graphql.HasOperationContext(ctx) {
		return shown
	}
	name, _ := known.Path[1].(ast.PathName)
	operation := graphql.GetOperationContext(ctx).Operation
	if operation == nil {
		return shown
	}
	if declared := operation.VariableDefinitions.ForName(string(name)); declared != nil && declared.Position != nil {
		shown.Locations = []gqlerror.Location{{Line: declared.Position.Line, Column: declared.Position.Column}}
	}
	return shown
}

// located gives the message the path and the position that gqlgen knows.
func located(ctx context.Context, err error, message string) *gqlerror.Error {
	shown := &gqlerror.Error{Message: message, Path: graphql.GetPath(ctx)}
	var known *gqlerror.Error
	if errors.As(err, &known) {
		shown.Path, shown.Locations = known.Path, known.Locations
	}
	return shown
}

// recovered makes a panic an error that presentError masks.
func recovered(_ context.Context, value any) error {
	return &panicError{value, debug.Stack()}
}

// logPanic logs a panic that no resolver caused.
func logPanic(logger *slog.Logger) func(context.Context, any) {
	return func(ctx context.Context, value any) {
		logger.ErrorContext(ctx, "request failed", "error", recovered(ctx, value))
	}
}
