package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"jobgraph/upstream/http1"
)

// errorFromResponse is the typed error for an answer that is not 200. A 4xx with the
// documented error object is what that object says; else the status decides,
// whatever the body.
func errorFromResponse(token, id string, answer http1.Response) *Error {
	status := answer.Status
	documented := status >= 400 && status < 500 && status != http.StatusTooManyRequests
	if documented {
		if e := documentedError(token, id, answer.Body); e != nil {
			e.Status = status
			return e
		}
	}
	errorType, comment := statusError(status, id)
	e := failure(token, id, errorType, comment, nil)
	e.Status = status
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		e.RetryAfter = retryAfter(answer.RetryAfter)
	}
	e.fault = errorType == Unavailable || errorType == Timeout
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e.transient = e.RetryAfter == 0 // else upstream said when, and it is not now
	}
	return e
}

// documentedError reads {"ErrorType", "ErrorComment"}; nil where the body is not that.
func documentedError(token, id string, body []byte) *Error {
	type documented struct {
		Type    string `json:"ErrorType"`
		Comment string `json:"ErrorComment"`
	}
	refused, err := unmarshal(body, func() *documented { return new(documented) })
	if err != nil || refused.Type == "" {
		return nil
	}
	known, ok := errorTypes[ErrorType(refused.Type)]
	upstreamType := refused.Type
	if !ok {
		known, upstreamType = Unrecognized, quote(refused.Type, token, id)
	}
	comment := quote(refused.Comment, token, id)
	switch comment {
	case "":
		comment = "The job API refused this " + asked(id) + " and gave no reason."
	case redacted:
		comment = sentenceOf(known, id)
	}
	return &Error{Type: known, Comment: comment, JobID: id, UpstreamType: &upstreamType}
}

// statusError is the table for answers that carry no documented error.
func statusError(status int, id string) (ErrorType, string) {
	switch {
	case status == http.StatusUnauthorized:
		return BadAPIToken, "The job API does not accept the token (status 401). Log in again for a new one."
	case status == http.StatusForbidden:
		return AccountUnprivileged, "The job API does not let this account see the " + asked(id) + " (status 403). Ask with another account's token."
	case status == http.StatusTooManyRequests:
		return RateLimited, "The job API takes no more requests for now (status 429). Ask again later, and less often."
	case status == http.StatusRequestTimeout:
		return Timeout, "The job API gave up waiting (status 408). Ask again in a moment."
	case status >= 500:
		return Unavailable, fmt.Sprintf("The job API is failing (status %d). Ask again in a moment.", status)
	case status >= 300 && status < 400:
		return Malformed, fmt.Sprintf("The job API answered with a redirect (status %d), which is not followed. Check --upstream-url.", status)
	default:
		return Malformed, fmt.Sprintf("The job API answered with status %d and no documented error. Check --upstream-url.", status)
	}
}

// asked is what was asked for: a job, or a list where there is no id.
func asked(id string) string {
	if id == "" {
		return "list of jobs"
	}
	return "job"
}

// malformed is the error for a 200 that is not a whole job or list.
func malformed(token, id string, cause error) *Error {
	e := failure(token, id, Malformed,
		"The job API's answer is not a complete "+asked(id)+". Ask again; if it stays so, tell the API's operator.", cause)
	e.Status = http.StatusOK
	return e
}

// unreachable is the error for a call that got no answer.
func unreachable(token, id string, cause error) *Error {
	if timedOut(cause) {
		return timeoutError(token, id, cause)
	}
	e := failure(token, id, Unavailable, "The job API cannot be reached. Ask again in a moment.", cause)
	e.fault, e.transient = true, transient(cause)
	return e
}

// timeoutError is the error for an answer that did not come, or not whole, in time.
func timeoutError(token, id string, cause error) *Error {
	e := failure(token, id, Timeout, "The job API did not answer in time. Ask again in a moment.", cause)
	e.fault = true
	return e
}

// truncated is the error for a 200 whose connection ended before its body did.
func truncated(token, id string, cause error) *Error {
	e := malformed(token, id, cause)
	e.fault, e.transient = true, true
	return e
}

// listTooLong is the error for a list that has more than this client reads.
func listTooLong(token string) *Error {
	e := failure(token, "", Malformed,
		fmt.Sprintf("The job API's list has more than %d jobs or %d MiB. Filter for fewer jobs, such as by created.", maxListed, maxListBody>>20), nil)
	e.Status = http.StatusOK
	return e
}

// breakerOpen is the error for a call that an open circuit breaker does not make.
func breakerOpen(token, id string, wait time.Duration) *Error {
	e := failure(token, id, Unavailable,
		"The job API has been failing, so it was not asked. Ask again after retryAfterSeconds.", nil)
	e.RetryAfter = max(wait, time.Second)
	return e
}

// rateLimited is the error for a call of a token that upstream told to wait.
func rateLimited(token, id string, wait time.Duration) *Error {
	e := failure(token, id, RateLimited,
		"The job API told this token to wait, so it was not asked. Ask again after retryAfterSeconds, and less often.", nil)
	e.RetryAfter = max(wait, time.Second)
	return e
}

// busy is the error for a call that there is no room for in this server.
func busy(token, id string) *Error {
	e := failure(token, id, Unavailable,
		"This server is busy: too many calls of the job API wait already. Ask again in a moment.", nil)
	e.RetryAfter = time.Second
	return e
}

// failure is an error that this client found itself. The cause's text may hold
// bytes that upstream sent, so it is kept as redacted text only.
func failure(token, id string, errorType ErrorType, comment string, cause error) *Error {
	e := &Error{Type: errorType, Comment: comment, JobID: id}
	if cause != nil {
		e.cause = quotedError(cause, token, id)
	}
	return e
}

func quotedError(cause error, token, id string) error {
	return errors.New(quote(cause.Error(), token, id))
}
