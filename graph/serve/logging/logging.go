// Package logging is the program's log: slog's own text or JSON, behind a buffer that
// keeps the write of a line out of the request that causes it.
package logging

import (
	"context"
	"io"
	"log/slog"
	"time"
)

// Options are how the log looks and how long a line may wait.
type Options struct {
	// JSON is one JSON object a line; otherwise key=value.
	JSON bool
	// Level is the least that is logged; nil: info.
	Level slog.Leveler
	// FlushInterval is the longest wait of a line below warn; 0: one second.
	FlushInterval time.Duration
}

// New returns a logger, and the buffer before w that its owner has to close.
func New(w io.Writer, opts Options) (*slog.Logger, *Buffer) {
	var logger *slog.Logger
	buffer := NewBuffer(w, opts.FlushInterval, func(lines int) {
		logger.Error("log lines were lost: standard error was not read in time, or could not be written; read it faster, or log less with --log-level warn",
			slog.Int("lines", lines))
	})
	options := &slog.HandlerOptions{Level: opts.Level}
	var format slog.Handler = slog.NewTextHandler(buffer, options)
	if opts.JSON {
		format = slog.NewJSONHandler(buffer, options)
	}
	logger = slog.New(handler{format, buffer})
	return logger, buffer
}

// handler has what went wrong written at once, with all that was logged before it.
type handler struct {
	slog.Handler
	buffer *Buffer
}

func (h handler) Handle(ctx context.Context, record slog.Record) error {
	err := h.Handler.Handle(ctx, record)
	if record.Level >= slog.LevelWarn {
		h.buffer.Flush()
	}
	return err
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs), h.buffer}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.buffer}
}
