package admission

import (
	"cmp"
	"context"

	"github.com/maypok86/otter/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/99designs/gqlgen/graphql"

	"jobgraph/graph/boundedcache"
	"jobgraph/graph/budget"
	"jobgraph/graph/errcode"
	"jobgraph/graph/projection"
)

// maxDocumentBytes is about how much the remembered documents may keep together.
const maxDocumentBytes = 32 << 20

// maxParsing bounds the texts that are parsed and validated at the same time, each of
// which may take megabytes. It needs the processor alone: more of them would be no faster.
const maxParsing = 16

// Options are what the guard lets through.
type Options struct {
	Limits Limits
	// Introspection lets clients ask for the schema and be told "Did you mean".
	Introspection bool
	// SubgraphSDL answers a gateway's _service even where Introspection is false.
	SubgraphSDL bool
	// ServedNames are the names of types that have another one in the schema than in the
	// executor, by that one, and OwnNames the other way round; nil: there are none.
	ServedNames, OwnNames map[string]string
	// MaxInflight bounds the queries that are executed at the same time; and, but for at
	// least 256, what they take together beyond one field at their top and 250 in
	// their answer; 256.
	MaxInflight int
	// ObservePermits is told of how many queries may be executed now, whenever it changes;
	// nil: nobody is told.
	ObservePermits func(permits int)
	// Token gives the caller's token, by which operations take turns; nil: all are one's.
	Token func(ctx context.Context) string
}

// Guard is a gqlgen extension and the executor's query cache in one: it reads and
// checks each text itself, so that the executor finds it read. It must be both.
type Guard struct {
	limits                     Limits
	introspection, subgraphSDL bool
	schema                     *ast.Schema
	served, own                map[string]string
	sizes                      sizes
	permits                    *limiter  // of queries that are executed
	pressure                   *pressure // on permits
	heavy                      *limiter  // of what they take beyond one field
	maxWeight                  int
	parsing                    chan struct{} // one for each text that is being read
	documents                  *otter.Cache[string, *document]
}

var (
	_ graphql.HandlerExtension          = (*Guard)(nil)
	_ graphql.OperationParameterMutator = (*Guard)(nil)
	_ graphql.OperationInterceptor      = (*Guard)(nil)
	_ graphql.ResponseInterceptor       = (*Guard)(nil)
	_ graphql.Cache[*ast.QueryDocument] = (*Guard)(nil)
)

// New returns the guard of a schema.
func New(schema *ast.Schema, opts Options) *Guard {
	token := opts.Token
	if token == nil {
		token = func(context.Context) string { return "" }
	}
	maxWeight := max(opts.MaxInflight, 256)
	sizes := newSizes(schema)
	sizes[pageField] = min(sizes[pageField], opts.Limits.IDs) // who gives no first is not to blame
	g := &Guard{
		limits: opts.Limits, introspection: opts.Introspection, subgraphSDL: opts.SubgraphSDL,
		schema:    schema,
		served:    opts.ServedNames,
		own:       opts.OwnNames,
		sizes:     sizes,
		permits:   newLimiter(cmp.Or(opts.MaxInflight, 256), burstWait, token),
		heavy:     newLimiter(maxWeight, queueWait, token),
		maxWeight: maxWeight,
		parsing:   make(chan struct{}, maxParsing),
		documents: boundedcache.New(maxDocumentBytes, func(text string, d *document) uint32 { return d.weight(text) }),
	}
	g.pressure = newPressure(g.permits.slots, runnableGoroutines, opts.ObservePermits)
	return g
}

// Overloaded says whether a query of the caller that has to be executed would be refused
// at once.
func (g *Guard) Overloaded(ctx context.Context) bool {
	g.pressure.sample()
	return g.permits.overloaded(ctx)
}

// ExtensionName is gqlgen's.
func (g *Guard) ExtensionName() string { return "Guard" }

// Validate is gqlgen's; there is nothing to check.
func (g *Guard) Validate(graphql.ExecutableSchema) error { return nil }

// documentKey is where the text's document waits for the executor in the operation's stats.
const documentKey = "admission.document"

// MutateOperationParameters refuses what is not let through. It comes before the
// executor parses, validates or coerces anything.
func (g *Guard) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	read, failures := g.read(ctx, params.Query)
	if read != nil {
		// GET asks a refused operation for its kind: it need not be parsed again.
		graphql.GetOperationContext(ctx).Doc = read.parsed
	}
	if len(failures) > 0 {
		return stash(ctx, failures)
	}
	operation := read.parsed.Operations.ForName(params.OperationName)
	if operation == nil {
		return refused(errcode.ValidationFailed, "The document has no operation of the name that was asked. Send operationName where it has several.")[0]
	}
	if failures := g.checkCost(ctx, operation, read.stats.operations[operation], params); len(failures) > 0 {
		return failures[0]
	}
	graphql.GetOperationContext(ctx).Stats.SetExtension(documentKey, read)
	projection.UseNames(graphql.GetOperationContext(ctx), g.served)
	if read.stats.directives == 0 {
		read.plans.Use(graphql.GetOperationContext(ctx))
	}
	return nil
}

// dispatchedKey is where an operation that is executed says so, once, in its stats: gqlgen
// asks [Guard.InterceptResponse] for what was refused or has panicked as well.
const dispatchedKey = "admission.dispatched"

// InterceptOperation is called for operations that are executed, and no others.
func (g *Guard) InterceptOperation(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	if isQuery(ctx) {
		graphql.GetOperationContext(ctx).Stats.SetExtension(dispatchedKey, true)
	}
	return next(ctx)
}

// InterceptResponse has a query wait for its permit and its turn, and bounds the errors of
// every response. An event of a subscription takes neither: it waits for long. A response
// that is cached, or made for an equal query already, does not come here: it costs no more
// than a refusal.
func (g *Guard) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	if !dispatched(ctx) {
		return boundErrors(ctx, next(ctx))
	}
	g.pressure.sample()
	release, ok := g.permits.acquire(ctx, 1)
	if !ok {
		return budget.Overloaded("This server has too many operations under way. Try again in a moment.")
	}
	defer release()
	defer g.pressure.begin()()
	if weight := weightOf(ctx); weight > 0 {
		release, ok := g.heavy.acquire(ctx, weight)
		if !ok {
			return budget.Overloaded("This server has too many operations of this size under way. Try again in a moment, or ask for less at a time.")
		}
		defer release()
	} else {
		g.pressure.yield() // heavy ones do not: all of them would begin before the first ends
	}
	return boundErrors(ctx, next(ctx))
}

func dispatched(ctx context.Context) bool {
	if !graphql.HasOperationContext(ctx) {
		return false
	}
	stats := &graphql.GetOperationContext(ctx).Stats
	is, _ := stats.GetExtension(dispatchedKey).(bool)
	if is {
		stats.SetExtension(dispatchedKey, false)
	}
	return is
}

func isQuery(ctx context.Context) bool {
	operation := graphql.GetOperationContext(ctx).Operation
	return operation != nil && operation.Operation == ast.Query
}

// Get gives the executor the document that MutateOperationParameters has read for
// this very operation.
func (g *Guard) Get(ctx context.Context, _ string) (*ast.QueryDocument, bool) {
	read, ok := graphql.GetOperationContext(ctx).Stats.GetExtension(documentKey).(*document)
	if !ok {
		return nil, false
	}
	return read.parsed, true
}

// Add does nothing: the guard remembers documents with what it measured of them.
func (g *Guard) Add(context.Context, string, *ast.QueryDocument) {}
