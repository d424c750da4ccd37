// Package tracing sends spans to an OpenTelemetry collector, as the standard environment
// variables say. Without them there is no tracer at all.
package tracing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	// flushTimeout bounds the wait for a collector at the end of the program.
	flushTimeout = 3 * time.Second
	// exportTimeout bounds one request of the collector, and maxQueue the spans that wait:
	// more are lost.
	exportTimeout = 10 * time.Second
	maxQueue      = 2048
	// logEvery is the time between two lines of a collector that does not take spans.
	logEvery = time.Minute
)

// Enabled says whether the environment names a collector for spans.
func Enabled() bool {
	return (os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "") &&
		!strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") && os.Getenv("OTEL_TRACES_EXPORTER") != "none"
}

// Start returns a tracer, nil where none is [Enabled], and what sends the spans that wait
// and ends it. No collector is waited for: what cannot be sent is lost.
func Start(ctx context.Context, version string, logger *slog.Logger) (trace.Tracer, func(), error) {
	if !Enabled() {
		return nil, func() {}, nil
	}
	exporter, err := newExporter(ctx)
	if err != nil {
		return nil, nil, err
	}
	attributes := []attribute.KeyValue{attribute.String("service.version", version)}
	if !strings.Contains(os.Getenv("OTEL_RESOURCE_ATTRIBUTES"), "service.name=") {
		attributes = append(attributes, attribute.String("service.name", "jobgraph"))
	}
	// The environment comes last: it overrides.
	own, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attributes...), resource.WithFromEnv())
	if err != nil {
		return nil, nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	var wrongSampler atomic.Bool
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) { wrongSampler.Store(true) }))
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(own), sdktrace.WithBatcher(exporter,
		sdktrace.WithExportTimeout(exportTimeout), sdktrace.WithMaxQueueSize(maxQueue)))
	lost := &errorLog{logger: logger}
	otel.SetErrorHandler(lost)
	if wrongSampler.Load() {
		defer provider.Shutdown(ctx)
		return nil, nil, errSampler
	}
	return provider.Tracer("jobgraph", trace.WithInstrumentationVersion(version)), func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			lost.Handle(err)
		}
	}, nil
}

var errSampler = errors.New("OTEL_TRACES_SAMPLER or OTEL_TRACES_SAMPLER_ARG is wrong: a sampler is like parentbased_traceidratio, and its argument from 0 to 1")

// newExporter is what the environment says. The library takes a wrong variable for none, and
// writes what was in it to standard error, secrets too: here it is an error.
func newExporter(ctx context.Context) (*otlptrace.Exporter, error) {
	protocol := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"))
	name := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	if os.Getenv(name) == "" {
		name = "OTEL_EXPORTER_OTLP_ENDPOINT"
	}
	// gRPC's may do without a scheme, and may be a name of its own kind.
	if endpoint, err := url.Parse(os.Getenv(name)); err != nil || protocol != "grpc" && endpoint.Host == "" {
		return nil, fmt.Errorf("%s must be like http://collector.example.com:4318", name)
	}
	check := &settingsCheck{Handler: slog.DiscardHandler}
	otel.SetLogger(logr.FromSlogHandler(check))
	defer otel.SetLogger(logr.Discard())
	exporter, err := exporterOf(ctx, protocol)
	if err == nil && check.failed != "" {
		_ = exporter.Shutdown(ctx)
		return nil, fmt.Errorf("a variable that begins with OTEL_EXPORTER_OTLP_ is wrong (%s): headers are like name=value,name=value, a timeout is in milliseconds, and certificates are PEM files", check.failed)
	}
	return exporter, err
}

// settingsCheck hears of what failed to be read of the environment, and takes nothing over
// of what was in it.
type settingsCheck struct {
	slog.Handler
	failed string // what was being done, such as "parse headers"
}

func (c *settingsCheck) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelError
}

func (c *settingsCheck) Handle(_ context.Context, record slog.Record) error {
	c.failed = record.Message
	return nil
}

func exporterOf(ctx context.Context, protocol string) (*otlptrace.Exporter, error) {
	switch protocol {
	case "", "http/protobuf":
		return otlptracehttp.New(ctx)
	case "grpc":
		return otlptracegrpc.New(ctx)
	default:
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: it must be http/protobuf or grpc", protocol)
	}
}

// errorLog says that spans are lost, seldom. The error itself may hold the collector's
// address, and with it a secret.
type errorLog struct {
	logger *slog.Logger
	last   atomic.Int64
}

func (l *errorLog) Handle(error) {
	now := time.Now().UnixNano()
	last := l.last.Load()
	if now-last < int64(logEvery) || !l.last.CompareAndSwap(last, now) {
		return
	}
	l.logger.Warn("the OpenTelemetry collector does not take spans, and they are lost: check OTEL_EXPORTER_OTLP_ENDPOINT")
}
