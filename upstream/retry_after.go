package upstream

import (
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter is the longest wait that upstream can ask for.
const maxRetryAfter = 5 * time.Minute

// limitOf is how long the token is to wait after the error; 0: not at all.
func limitOf(e *Error) time.Duration {
	if e.Status == http.StatusTooManyRequests {
		return e.RetryAfter
	}
	return 0
}

// retryAfter reads the header of that name, seconds or a date, as 1 s to 5
// minutes; 0 where there is none that can be read.
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return clampRetryAfter(time.Duration(seconds) * time.Second)
	}
	if date, err := http.ParseTime(text); err == nil {
		return clampRetryAfter(time.Until(date))
	}
	return 0
}

func clampRetryAfter(wait time.Duration) time.Duration {
	return min(max(wait, time.Second), maxRetryAfter)
}
