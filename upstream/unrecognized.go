package upstream

import (
	"log/slog"
	"sync"
)

// maxUnrecognized bounds the values that are remembered as logged.
const maxUnrecognized = 256

// unrecognizedLog counts every enum value that is not known and logs each once.
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

func (l *unrecognizedLog) report(field, value string) {
	l.observer.UnrecognizedValue(field)
	if len(value) > 64 {
		value = value[:64]
	}
	if l.firstTime([2]string{field, value}) {
		l.logger.Warn("upstream sent an enum value that this version does not know; it is served as UNRECOGNIZED",
			"field", field, "value", value)
	}
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
