package upstream

import (
	"context"
	"net/url"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// tracing makes a span for each attempt, and for each login. nil: none, at no cost.
type tracing struct {
	tracer trace.Tracer
	host   []attribute.KeyValue
}

func newTracing(tracer trace.Tracer, base *url.URL) *tracing {
	if tracer == nil {
		return nil
	}
	t := &tracing{tracer, []attribute.KeyValue{attribute.String("http.request.method", "GET"), attribute.String("server.address", base.Hostname())}}
	if port, err := strconv.Atoi(base.Port()); err == nil {
		t.host = append(t.host, attribute.Int("server.port", port))
	}
	return t
}

// attempt is the span of an attempt; end is to be told what became of it. No attribute holds
// a query, a token or an id: another operation may share the call.
func (t *tracing) attempt(ctx context.Context, name string, retry int) (_ context.Context, end func(*Error)) {
	if t == nil {
		return ctx, func(*Error) {}
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(t.host...))
	if retry > 0 {
		span.SetAttributes(attribute.Int("http.request.resend_count", retry))
	}
	return ctx, func(failed *Error) {
		status, outcome := 200, "OK"
		switch {
		case ctx.Err() != nil:
			status, outcome = 0, "CANCELLED"
		case failed != nil:
			status, outcome = failed.Status, string(failed.Type)
			if failed.Retryable() {
				span.SetStatus(codes.Error, outcome)
			}
		}
		if status > 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", status))
		}
		span.SetAttributes(attribute.String("jobgraph.outcome", outcome))
		span.End()
	}
}

// traceparent is the header of that name for a call under ctx; "": none.
func (t *tracing) traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}

// header is what has the header sent; nil where nothing is traced.
func (t *tracing) header() func(context.Context) string {
	if t == nil {
		return nil
	}
	return t.traceparent
}
