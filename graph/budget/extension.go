package budget

import (
	"context"
	"errors"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/errcode"
)

// Extension is the gqlgen extension that has each answer that is executed count. Use
// it as the last one: what it refuses is an answer for all others.
type Extension struct{ *Budget }

var _ interface {
	graphql.HandlerExtension
	graphql.ResponseInterceptor
} = Extension{}

// ExtensionName is gqlgen's.
func (Extension) ExtensionName() string { return "Budget" }

// Validate is gqlgen's; there is nothing to check.
func (Extension) Validate(graphql.ExecutableSchema) error { return nil }

// InterceptResponse opens an answer for the request's hold. Whoever writes into it
// reserves before; what remains is what nobody reserved, which is small.
func (e Extension) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	hold := HoldFrom(ctx)
	answer := hold.Open(e.Budget)
	response := next(ctx)
	if answer == nil || response == nil {
		return response
	}
	if hold.Data != nil {
		response.Data, hold.Data = hold.Data, nil
	}
	err := answer.Err()
	if err == nil {
		err = answer.settle(response)
	}
	if err != nil {
		return e.Refused(err)
	}
	return response
}

// settle has the answer count for what was written.
func (a *Answer) settle(response *graphql.Response) error {
	if int64(len(response.Data)) > a.budget.each {
		return ErrTooLarge
	}
	return a.Resize(cap(response.Data) + errorsSize(response.Errors))
}

// errorBytes is about what an error has beside its text.
const errorBytes = 256

func errorsSize(errs gqlerror.List) int {
	size := 0
	for _, err := range errs {
		size += len(err.Message) + errorBytes
	}
	return size
}

// Refused is the response in place of an answer that had no room.
func (b *Budget) Refused(err error) *graphql.Response {
	switch {
	case errors.Is(err, ErrJobsTooLarge):
		return tooLarge("The jobs of this operation have more than %d bytes together, which is the most that this server reads for one answer. Ask for fewer jobs at a time.", b.each)
	case errors.Is(err, ErrTooLarge):
		return tooLarge("The answer would have more than %d bytes, which is the most that this server sends in one. Ask for fewer jobs at a time, or for less of each.", b.each)
	}
	return Overloaded("This server is making and sending as many answers as it has memory for. Try again in a moment.")
}

func tooLarge(message string, most int64) *graphql.Response {
	return &graphql.Response{Data: []byte("null"), Errors: gqlerror.List{errcode.New(errcode.ComplexityLimitExceeded, message, most)}}
}

// Overloaded is the response to an operation that might be answered in a moment.
func Overloaded(message string) *graphql.Response {
	return &graphql.Response{Errors: gqlerror.List{errcode.New(errcode.Overloaded, "%s", message)}}
}

// IsOverloaded says whether an operation was refused for the sake of others.
func IsOverloaded(response *graphql.Response) bool {
	return response != nil && response.Data == nil && len(response.Errors) == 1 &&
		response.Errors[0].Extensions["code"] == errcode.Overloaded
}
