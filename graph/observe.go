package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"go.opentelemetry.io/otel/trace"

	"jobgraph/graph/admission/persisted"
	"jobgraph/graph/errcode"
	"jobgraph/upstream"
)

// Operation is what became of an operation, for metrics and the log.
type Operation struct {
	// Name is the trusted document's, or else the client's own word for it, shortened; ""
	// where it has none, or one that may be a secret.
	Name string
	// Trusted says that the operator knows the name.
	Trusted bool
	// Kind is "query" or "subscription"; "" where nobody knows.
	Kind string
	// Outcome is "OK" or the first error's code.
	Outcome string
	// Took is until its answer, or a subscription's end.
	Took time.Duration
	// Shared says that the response was served by the bytes of its request.
	Shared bool
	// Events are a subscription's.
	Events int
	// Tally is what was done for it; nil: nothing was.
	Tally *upstream.Tally
	// Errors are how many there are of each type or code; nil: none.
	Errors map[string]int

	text string
}

// Hash tells texts apart: the beginning of the SHA-256 of the operation's, which is what
// persisted queries go by; "" where there is none.
func (o Operation) Hash() string {
	if o.text == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(o.text))
	return hex.EncodeToString(sum[:8])
}

// observation is what is noted of an operation that is executed.
type observation struct {
	tally upstream.Tally

	mu     sync.Mutex
	errors map[string]int
}

func (o *observation) fail(code string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.errors == nil {
		o.errors = map[string]int{}
	}
	o.errors[code]++
}

func (o *observation) failures() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.errors)
}

// maxName bounds a name that a client wrote, in bytes, and secretDigits is how many
// hexadecimal digits in a row may be a token's.
const (
	maxName      = 64
	secretDigits = 8
)

func mayBeSecret(name string) bool {
	digits := 0
	for _, c := range []byte(name) {
		digits++
		if c|0x20 < 'a' || c|0x20 > 'f' {
			if c < '0' || c > '9' {
				digits = 0
			}
		}
		if digits == secretDigits {
			return true
		}
	}
	return false
}

// describe says which operation it is.
func describe(operation *graphql.OperationContext) (o Operation) {
	if operation == nil {
		return o
	}
	o.text = operation.RawQuery
	if !operation.Stats.OperationStart.IsZero() {
		o.Took = time.Since(operation.Stats.OperationStart)
	}
	o.Name = persisted.TrustOf(operation).Name // what was refused before it was an operation has it too
	o.Trusted = o.Name != ""
	if operation.Operation == nil {
		return o
	}
	o.Kind = string(operation.Operation.Operation)
	if name := operation.Operation.Name; !o.Trusted && !mayBeSecret(name) {
		o.Name = name[:min(len(name), maxName)]
	}
	return o
}

// observer watches the operations of a handler.
type observer struct {
	observe  func(context.Context, Operation) // nil: nobody is told
	inFlight func(int)                        // nil: nobody is told
	tracer   trace.Tracer                     // nil: no spans
}

// response tells of each answer, shared or not; it is the first to be registered, and so
// the last that sees it. A subscription has one observation at its end: see operation.
func (o observer) response(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	if o.inFlight != nil && !isSubscription(ctx) {
		o.inFlight(1)
		defer o.inFlight(-1)
	}
	response := next(ctx)
	if response == nil || isSubscription(ctx) {
		return response // no answer, as the caller left, or an event: it took as long as the job did
	}
	return o.report(ctx, response)
}

// report tells of an operation's response, and may add figures to it.
func (o observer) report(ctx context.Context, response *graphql.Response) *graphql.Response {
	var operation *graphql.OperationContext
	if graphql.HasOperationContext(ctx) {
		operation = graphql.GetOperationContext(ctx)
	}
	done := describe(operation)
	done.Outcome = outcomeOf(response)
	if noted := observationFrom(ctx); noted != nil {
		done.Tally, done.Errors = &noted.tally, noted.failures()
		if callerFrom(ctx).traced {
			response = withFigures(response, &noted.tally, done.Took)
		}
	}
	for _, err := range response.Errors {
		code, _ := err.Extensions["code"].(string)
		if done.Errors == nil {
			done.Errors = map[string]int{}
		}
		done.Errors[code]++
	}
	if o.tracer != nil {
		endSpan(trace.SpanFromContext(ctx), done)
	}
	if o.observe != nil {
		o.observe(ctx, done)
	}
	return response
}

// onceOverloaded is shared by all that are refused under overload, which must cost little.
var onceOverloaded = map[string]int{errcode.Overloaded: 1}

// unexecuted tells of an answer that the executor knows nothing of: name is the trusted
// document's.
func (o observer) unexecuted(ctx context.Context, name, outcome string, took time.Duration) {
	if o.observe == nil {
		return
	}
	done := Operation{Name: name, Trusted: name != "", Outcome: outcome, Took: took, Shared: outcome == "OK"}
	switch {
	case done.Shared:
		done.Kind = string(ast.Query)
	case outcome == errcode.Overloaded:
		done.Errors = onceOverloaded
	default:
		done.Errors = map[string]int{outcome: 1}
	}
	o.observe(ctx, done)
}

func outcomeOf(response *graphql.Response) string {
	if len(response.Errors) == 0 {
		return "OK"
	}
	if code, ok := response.Errors[0].Extensions["code"].(string); ok {
		return code
	}
	return errcode.Internal
}

// withFigures is the response with extensions.upstream. It is the request's own: one that
// asks for figures shares none.
func withFigures(response *graphql.Response, t *upstream.Tally, took time.Duration) *graphql.Response {
	own := *response
	own.Extensions = maps.Clone(response.Extensions)
	if own.Extensions == nil {
		own.Extensions = map[string]any{}
	}
	own.Extensions["upstream"] = struct {
		Jobs         int64   `json:"jobs"`
		Calls        int64   `json:"calls"`
		Cached       int64   `json:"cached"`
		Coalesced    int64   `json:"coalesced"`
		Retries      int64   `json:"retries"`
		Milliseconds float64 `json:"milliseconds"`
	}{t.Jobs.Load(), t.Calls.Load(), t.Cached.Load(), t.Coalesced.Load(), t.Retries.Load(), float64(took.Microseconds()) / 1000}
	return &own
}

// operation begins the operation's span, and tells of a subscription when it ends. It is
// the first of its kind: what others do is below its span.
func (o observer) operation(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	operation := graphql.GetOperationContext(ctx)
	if o.tracer != nil {
		ctx = o.begin(ctx, operation)
	}
	if operation.Operation.Operation != ast.Subscription {
		return next(ctx)
	}
	events, outcome := 0, "OK"
	end := sync.OnceFunc(func() {
		done := describe(operation)
		done.Outcome, done.Events = outcome, events
		if o.tracer != nil {
			endSpan(trace.SpanFromContext(ctx), done)
		}
		if o.observe != nil {
			o.observe(ctx, done)
		}
	})
	var mu sync.Mutex // a transport ends the context as well, at any time
	context.AfterFunc(ctx, func() { mu.Lock(); defer mu.Unlock(); end() })
	responses := next(ctx)
	return func(ctx context.Context) *graphql.Response {
		response := responses(ctx)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case response == nil:
			end()
		case len(response.Errors) > 0:
			outcome = outcomeOf(response)
		default:
			events++
		}
		return response
	}
}
