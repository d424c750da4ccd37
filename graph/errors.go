package graph

import (
	"context"
	"errors"
	"log/slog"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/errcode"
	"jobgraph/upstream"
)

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

// presentError is the one place where errors become a client's. What is neither
// GraphQL's own nor a publicError is logged whole and masked.
func presentError(logger *slog.Logger) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		var public *publicError
		if errors.As(err, &public) {
			shown := withLocation(ctx, err, public.message)
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
		shown := withLocation(ctx, err, "Internal server error. Try again; if it stays so, tell the operator of this server.")
		shown.Extensions = map[string]any{"code": errcode.Internal}
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

// withLocation gives the message the path and the position that gqlgen knows.
func withLocation(ctx context.Context, err error, message string) *gqlerror.Error {
	shown := &gqlerror.Error{Message: message, Path: graphql.GetPath(ctx)}
	var known *gqlerror.Error
	if errors.As(err, &known) {
		shown.Path, shown.Locations = known.Path, known.Locations
	}
	return shown
}

// recovered makes a panic an error that presentError masks.
func recovered(_ context.Context, value any) error {
	return upstream.PanicError(value)
}

// logPanic logs a panic that no resolver caused.
func logPanic(logger *slog.Logger) func(context.Context, any) {
	return func(ctx context.Context, value any) {
		logger.ErrorContext(ctx, "request failed", "error", recovered(ctx, value))
	}
}
