package serve

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"jobgraph/graph"
)

// observe counts each operation and writes its line: at info where it failed or was slow, at
// debug otherwise. No line holds a token, an id, a variable or a text.
func (f *facade) observe(ctx context.Context, done graph.Operation) {
	traceID := ""
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		traceID = span.TraceID().String()
	}
	f.metrics.OperationDone(done, traceID)
	level := slog.LevelDebug
	slow := f.LogSlow > 0 && done.Took >= f.LogSlow && done.Kind != "subscription"
	if done.Outcome != "OK" || slow {
		level = slog.LevelInfo
	}
	if f.logger.Enabled(ctx, level) {
		f.log(ctx, level, done, traceID, slow)
	}
}

// log writes the operation's line. It is a function of its own for its frame: a stack that has
// to grow for it is copied, be the line written or not.
func (f *facade) log(ctx context.Context, level slog.Level, done graph.Operation, traceID string, slow bool) {
	line := slog.NewRecord(time.Now(), level, "operation", 0)
	if traceID != "" {
		line.AddAttrs(slog.String("trace_id", traceID))
	}
	line.AddAttrs(slog.String("name", done.Name), slog.String("hash", done.Hash()), slog.String("kind", done.Kind),
		slog.String("outcome", done.Outcome), slog.Duration("took", done.Took))
	if t := done.Tally; t != nil {
		line.AddAttrs(slog.Int64("jobs", t.Jobs.Load()), slog.Int64("calls", t.Calls.Load()),
			slog.Int64("cached", t.Cached.Load()), slog.Int64("coalesced", t.Coalesced.Load()), slog.Int64("retries", t.Retries.Load()))
	}
	if done.Kind == "subscription" {
		line.AddAttrs(slog.Int("events", done.Events))
	}
	if len(done.Errors) > 0 {
		line.AddAttrs(slog.String("errors", counts(done.Errors)))
	}
	if slow {
		line.AddAttrs(slog.Bool("slow", true))
	}
	_ = f.logger.Handler().Handle(ctx, line) // the log has nowhere to say that it failed
}

// counts is such as ITEM_NOT_FOUND:2,UPSTREAM_TIMEOUT:1.
func counts(errors map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(errors)) {
		parts = append(parts, name+":"+strconv.Itoa(errors[name]))
	}
	return strings.Join(parts, ",")
}
