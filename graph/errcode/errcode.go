// Package errcode is the table of the values of extensions.code, and the one way to make
// an error that has one. An error at a federation reference has its upstream.ErrorType
// there instead.
package errcode

import (
	"fmt"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

const (
	// ParseFailed is for a text that is no GraphQL, and for one with too many tokens.
	ParseFailed = errcode.ParseFailed // GRAPHQL_PARSE_FAILED
	// ValidationFailed is for a document that does not fit the schema that is shown.
	ValidationFailed = errcode.ValidationFailed // GRAPHQL_VALIDATION_FAILED
	// BadRequest is for what is no GraphQL request at all.
	BadRequest = "BAD_REQUEST"
	// BadUserInput is for arguments: too many ids, or what cannot be one.
	BadUserInput = "BAD_USER_INPUT"
	// ComplexityLimitExceeded is for what would cost more than is allowed.
	ComplexityLimitExceeded = "COMPLEXITY_LIMIT_EXCEEDED"
	// Overloaded is for what would have been answered at another moment.
	Overloaded = "OVERLOADED"
	// PersistedQueryNotFound tells Apollo's clients to send the whole query.
	PersistedQueryNotFound = "PERSISTED_QUERY_NOT_FOUND"
	// QueryNotInSafelist is for a document that is not one of the trusted ones.
	QueryNotInSafelist = "QUERY_NOT_IN_SAFELIST"
	// Unauthenticated is for callers whose identity is not known.
	Unauthenticated = "UNAUTHENTICATED"
	// RateLimited is for callers that have begun more operations than they may.
	RateLimited = "RATE_LIMITED"
	// Internal is for a fault of this server; the log has what the client is not told.
	Internal = "INTERNAL_SERVER_ERROR"
)

// New returns an error with the code. Its text must hold nothing that the request brought.
func New(code, format string, args ...any) *gqlerror.Error {
	return Set(&gqlerror.Error{Message: fmt.Sprintf(format, args...)}, code)
}

// Set gives the error the code, in place of any that it has.
func Set(err *gqlerror.Error, code string) *gqlerror.Error {
	errcode.Set(err, code)
	return err
}
