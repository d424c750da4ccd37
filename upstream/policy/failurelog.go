package policy

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// logEvery is the time between two lines of a kind.
const logEvery = time.Second

// report is what is told to the log of a circuit.
type report struct {
	kind  reportKind
	attrs []any
}

type reportKind uint8

const (
	openedForAll reportKind = iota
	closedForAll
	openedForToken
	closedForToken
)

var reportTexts = [...]string{
	openedForAll:   "the job API is failing and is left alone: the circuit breaker is open",
	closedForAll:   "the job API answers again: the circuit breaker is closed",
	openedForToken: "the job API is failing for a token and is left alone by it: the token's circuit breaker is open",
	closedForToken: "the job API answers a token again: the token's circuit breaker is closed",
}

// FailureLog tells of failures of upstream, a line a second of each kind at most: the
// next line says how many were left out.
type FailureLog struct {
	logger *slog.Logger

	mu    sync.Mutex
	lines map[string]*line // by kind, of which there are few
}

// line is the last one of a kind.
type line struct {
	at      time.Time
	leftOut int
}

// NewFailureLog writes to the logger; nil: to nobody.
func NewFailureLog(logger *slog.Logger) *FailureLog {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &FailureLog{logger: logger, lines: map[string]*line{}}
}

// Failed logs a failure of the kind, which is one of few. The cause, nil where there is
// none, holds no secret.
func (l *FailureLog) Failed(kind string, status int, cause error) {
	leftOut, ok := l.due(kind)
	if !ok {
		return
	}
	attrs := []any{"type", kind, "status", status, "left_out", leftOut}
	if cause != nil {
		attrs = append(attrs, "cause", cause.Error())
	}
	l.logger.Warn("a call of the job API failed", attrs...)
}

// LeftOut logs that a list was read without some of its jobs, which are malformed.
func (l *FailureLog) LeftOut(jobs int, cause error) {
	const text = "the job API listed jobs that are malformed: they are left out"
	if leftOut, ok := l.due(text); ok {
		l.logger.Warn(text, "jobs", jobs, "cause", cause.Error(), "left_out", leftOut)
	}
}

// logBreaker is for what the breaker did: the circuit for all is told of each time.
func (l *FailureLog) logBreaker(news []report) {
	for _, r := range news {
		text, attrs := reportTexts[r.kind], r.attrs
		if r.kind == openedForToken || r.kind == closedForToken {
			leftOut, ok := l.due(text)
			if !ok {
				continue
			}
			attrs = append(attrs, "left_out", leftOut)
		}
		level := slog.LevelWarn
		if r.kind == closedForAll || r.kind == closedForToken {
			level = slog.LevelInfo
		}
		l.logger.Log(context.Background(), level, text, attrs...)
	}
}

// due says whether a line of the kind may be written now, and how many were left out.
func (l *FailureLog) due(kind string) (leftOut int, ok bool) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.lines[kind]
	switch {
	case last == nil:
		l.lines[kind] = &line{at: now}
		return 0, true
	case now.Sub(last.at) < logEvery:
		last.leftOut++
		return 0, false
	}
	leftOut = last.leftOut
	last.at, last.leftOut = now, 0
	return leftOut, true
}
