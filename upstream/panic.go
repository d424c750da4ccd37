package upstream

import (
	"fmt"
	"runtime/debug"
)

// panicError carries a panic and its stack to the log. The value's text is
// scrubbed: it may hold what upstream sent.
type panicError struct {
	value string
	stack []byte
}

func newPanicError(value any, token, id string) error {
	return &panicError{scrub(fmt.Sprint(value), token, id), debug.Stack()}
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %s\n%s", e.value, e.stack) }
