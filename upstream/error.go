package upstream

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"
)

// ErrorType says what went wrong with one job. The first nine are upstream's
// own, from its published documentation, and this client uses some of them itself;
// the rest are this client's.
type ErrorType string

const (
	LoginInvalid        ErrorType = "LOGIN_INVALID"
	AccountExists       ErrorType = "ACCOUNT_EXISTS"
	AccountUnprivileged ErrorType = "ACCOUNT_UNPRIVILEGED"
	BadAPIToken         ErrorType = "BAD_API_TOKEN"
	InvalidQuery        ErrorType = "INVALID_QUERY"
	InvalidOption       ErrorType = "INVALID_OPTION"
	MissingParameter    ErrorType = "MISSING_PARAMETER"
	InvalidURL          ErrorType = "INVALID_URL"
	ItemNotFound        ErrorType = "ITEM_NOT_FOUND"

	Unavailable ErrorType = "UPSTREAM_UNAVAILABLE"
	Timeout     ErrorType = "UPSTREAM_TIMEOUT"
	RateLimited ErrorType = "UPSTREAM_RATE_LIMITED"
	Malformed   ErrorType = "UPSTREAM_MALFORMED"
)

var errorTypes = map[ErrorType]ErrorType{
	"LOGIN_INVALID":        LoginInvalid,
	"ACCOUNT_EXISTS":       AccountExists,
	"ACCOUNT_UNPRIVILEGED": AccountUnprivileged,
	"BAD_API_TOKEN":        BadAPIToken,
	"INVALID_QUERY":        InvalidQuery,
	"INVALID_OPTION":       InvalidOption,
	"MISSING_PARAMETER":    MissingParameter,
	"INVALID_URL":          InvalidURL,
	"ITEM_NOT_FOUND":       ItemNotFound,
}

// Error says why a job could not be had. Its text is safe to show and to log:
// it holds no token, no URL and no body. An Error may be shared between
// requests: nobody writes to it.
type Error struct {
	Type ErrorType
	// Comment says what went wrong and what to do, in one or two sentences.
	Comment string
	// JobID is the id that was asked.
	JobID string
	// UpstreamType is ErrorType as upstream spelled it; nil where this client
	// found the error itself.
	UpstreamType *string
	// Status is the HTTP status; 0 where there was no answer.
	Status int
	// RetryAfter is how long to wait before asking again, 1 s to 5 minutes; 0
	// where nobody knows.
	RetryAfter time.Duration
	// fault says that upstream itself failed: the circuit breaker counts it.
	fault bool
	// transient says that another attempt at once may well succeed.
	transient bool
	// cause is for the log: it is redacted.
	cause error
}

func (*Error) result() {}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s", e.Type, e.Comment)
}

// Unwrap gives the network's or the decoder's own error, nil where there is none.
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is(err, &Error{Type: t}) ask for the type alone.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Type == e.Type
}

// Retryable says whether the same request may succeed later: what upstream
// refused stays refused, what failed on the way may not fail again.
func (e *Error) Retryable() bool {
	switch e.Type {
	case Unavailable, Timeout, RateLimited, Malformed:
		return true
	default:
		return false
	}
}

// RefusesToken says whether upstream refused the token, whatever the job: a 401 does,
// whatever reason it gives.
func (e *Error) RefusesToken() bool {
	return e.Type == BadAPIToken || e.Status == http.StatusUnauthorized
}

// RetryAfterSeconds is RetryAfter in whole seconds, rounded up; nil where nobody knows.
func (e *Error) RetryAfterSeconds() *int {
	if e.RetryAfter <= 0 {
		return nil
	}
	seconds := int(math.Ceil(e.RetryAfter.Seconds()))
	return &seconds
}

// ErrorOf is the [*Error] that err is or wraps, nil where there is none.
func ErrorOf(err error) *Error {
	var failed *Error
	if !errors.As(err, &failed) {
		return nil
	}
	return failed
}

// TypeOf is the ErrorType of err, "" where err is nil or not one of a job's.
func TypeOf(err error) ErrorType {
	if failed := ErrorOf(err); failed != nil {
		return failed.Type
	}
	return ""
}
