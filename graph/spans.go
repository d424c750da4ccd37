package graph

import (
	"context"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// begin begins the operation's span below the request's, or below the trace that a
// WebSocket's message names.
func (o observer) begin(ctx context.Context, operation *graphql.OperationContext) context.Context {
	if parent, ok := operation.Extensions["traceparent"].(string); ok {
		state, _ := operation.Extensions["tracestate"].(string)
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": parent, "tracestate": state})
	}
	done := describe(operation)
	name := done.Kind
	if done.Name != "" {
		name += " " + done.Name
	}
	ctx, _ = o.tracer.Start(ctx, name, trace.WithAttributes(
		attribute.String("graphql.operation.name", done.Name),
		attribute.String("graphql.operation.type", done.Kind),
		attribute.String("graphql.document.hash", done.Hash()),
	))
	return ctx
}

func endSpan(span trace.Span, done Operation) {
	span.SetAttributes(attribute.String("jobgraph.outcome", done.Outcome))
	if t := done.Tally; t != nil {
		span.SetAttributes(attribute.Int64("jobgraph.jobs", t.Jobs.Load()), attribute.Int64("jobgraph.cached", t.Cached.Load()), attribute.Int64("jobgraph.calls", t.Calls.Load()))
	}
	if done.Events > 0 {
		span.SetAttributes(attribute.Int("jobgraph.events", done.Events))
	}
	if done.Outcome != "OK" {
		span.SetStatus(codes.Error, done.Outcome)
	}
	span.End()
}

// traced is a span for each request, below the caller's own. A WebSocket has none: its
// operations have.
func traced(tracer trace.Tracer, next http.Handler) http.Handler {
	if tracer == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		if r.Header.Get("Upgrade") != "" {
			next.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		method := r.Method
		if method != http.MethodGet && method != http.MethodPost {
			method = "OTHER"
		}
		ctx, span := tracer.Start(ctx, method+" /graphql", trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attribute.String("http.request.method", method), attribute.String("http.route", "/graphql")))
		defer span.End()
		status := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(status, r.WithContext(ctx))
		if status.code == 0 {
			status.code = http.StatusOK
		}
		span.SetAttributes(attribute.Int("http.response.status_code", status.code))
		if status.code >= 500 {
			span.SetStatus(codes.Error, "")
		}
	})
}

// statusWriter sees the status go by. Flushing and deadlines are reached through Unwrap.
type statusWriter struct {
	http.ResponseWriter
	code int
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) WriteHeader(code int) {
	if w.code == 0 && code >= http.StatusOK {
		w.code = code
	}
	w.ResponseWriter.WriteHeader(code)
}
