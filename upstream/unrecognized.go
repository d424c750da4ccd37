package upstream

import (
	"log/slog"
	"sync"
)

// maxUnrecognized bounds the values that are remembered as logged.
const maxUnrecognized = 256

// unrecognizedLog counts every enum value that is not known and logs each once, the
// first maxUnrecognized of them.
type unrecognizedLog struct {
	logger   *slog.Logger
	observer Observer

	mu     sync.Mutex
	logged map[[2]string]bool
}

func newUnrecognizedLog(logger *slog.Logger, observer Observer) *unrecognizedLog {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &unrecognizedLog{logger: logger, observer: observer, logged: map[[2]string]bool{}}
}

// report logs a value of the field; "" is one that cannot be shown.
func (l *unrecognizedLog) report(field, value string) {
	l.observer.UnrecognizedValue(field)
	if !l.firstTime([2]string{field, value}) {
		return
	}
	args := []any{"field", field, "value", value}
	if value == "" {
		args = args[:2]
	}
	l.logger.Warn("upstream sent an enum value that this version does not know; it is served as UNRECOGNIZED", args...)
}

func (l *unrecognizedLog) firstTime(entry [2]string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.logged[entry] || len(l.logged) == maxUnrecognized {
		return false
	}
	l.logged[entry] = true
	return true
}
