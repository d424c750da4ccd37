package upstream

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// panicError carries a panic and its stack to the log.
type panicError struct {
	value string
	stack []byte
}

// PanicError is the error of a recovered panic. It has the stack, and of the value no more
// than the Go runtime's own words or its type: any other may hold a secret.
func PanicError(value any) error {
	said := fmt.Sprintf("a %T", value)
	if err, ok := value.(runtime.Error); ok {
		said = err.Error()
	}
	return &panicError{said, debug.Stack()}
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %s\n%s", e.value, e.stack) }
