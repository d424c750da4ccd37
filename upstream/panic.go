package upstream

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// panicError carries a panic and its stack to the log. Only the Go runtime's own
// words are kept, redacted; any other value may hold a secret and gives its type.
type panicError struct {
	value string
	stack []byte
}

func newPanicError(value any, token, id string) error {
	said := fmt.Sprintf("a %T", value)
	if err, ok := value.(runtime.Error); ok {
		said = quote(err.Error(), token, id)
	}
	return &panicError{said, debug.Stack()}
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %s\n%s", e.value, e.stack) }
