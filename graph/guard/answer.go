package guard

import (
	"context"
	"strings"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/99designs/gqlgen/graphql"
)

// What one answer may hold of errors: how many, and how many bytes of text each.
const (
	maxErrors       = 10
	maxErrorMessage = 512
)

const failuresKey = "guard.failures"

// first hands over one failure, as gqlgen has it, and keeps all for the answer.
func first(ctx context.Context, failures gqlerror.List) *gqlerror.Error {
	graphql.GetOperationContext(ctx).Stats.SetExtension(failuresKey, failures)
	return failures[0]
}

// InterceptResponse bounds the errors of an answer. The last one that is shown
// says how many are not.
func (g *Guard) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	response := next(ctx)
	if response == nil || len(response.Errors) == 0 {
		return response
	}
	if graphql.HasOperationContext(ctx) {
		stats := &graphql.GetOperationContext(ctx).Stats
		if all, ok := stats.GetExtension(failuresKey).(gqlerror.List); ok && len(response.Errors) == 1 {
			response.Errors = append(response.Errors, all[1:]...)
		}
	}
	if left := len(response.Errors) - maxErrors; left > 0 {
		response.Errors = response.Errors[:maxErrors]
		last := response.Errors[maxErrors-1]
		if last.Extensions == nil {
			last.Extensions = map[string]any{}
		}
		last.Extensions["moreErrors"] = left
	}
	for _, err := range response.Errors {
		if len(err.Message) > maxErrorMessage {
			err.Message = strings.ToValidUTF8(err.Message[:maxErrorMessage-len("…")], "") + "…"
		}
	}
	return response
}
