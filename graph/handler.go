package graph

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/vektah/gqlparser/v2/ast"
	"go.opentelemetry.io/otel/trace"

	"jobgraph/graph/admission"
	"jobgraph/graph/admission/persisted"
	"jobgraph/graph/budget"
	"jobgraph/graph/generated"
	"jobgraph/graph/responsecache"
	"jobgraph/graph/transport"
	"jobgraph/upstream"
	"jobgraph/upstream/keyedhash"
	"jobgraph/upstream/paging"
	"jobgraph/upstream/poll"
)

// Options are the GraphQL endpoint's settings; a zero field means its default.
type Options struct {
	// Limits bound one operation; zero: [admission.DefaultLimits].
	Limits admission.Limits
	// MaxBodyBytes bounds a request's body; 256 KiB.
	MaxBodyBytes int64
	// MaxInflight bounds the queries that are executed at the same time; 256.
	MaxInflight int
	// Budget bounds the bytes of answers; nil: [budget.New]'s defaults.
	Budget *budget.Budget
	// HideSchema refuses introspection, and errors say nothing of the schema.
	HideSchema bool
	// SubgraphSDL answers _service in spite of HideSchema.
	SubgraphSDL bool
	// FederationVersion is that of the SDL in _service, of [FederationVersions]; "": the first.
	FederationVersion string
	// Scenario gives the token of a sandbox's scenario, for requests with the header X-Sandbox;
	// nil: the header means nothing.
	Scenario func(token, text string) string
	// Prefix is before the names of the schema's types.
	Prefix Prefix
	// DisableGET answers GET with 405.
	DisableGET bool
	// TrustedDocuments are the only query texts that are run; nil: any is.
	TrustedDocuments *persisted.List
	// DefaultToken is the token for callers that send none; "": they get BAD_API_TOKEN.
	DefaultToken string
	// Authenticate tells who a caller is by its bearer token, which must not be the job API's
	// then. Its error's text is shown in a sentence, with 401; [ErrNoVerifier] is 503. nil: the bearer
	// token is the job API's, and is sent there.
	Authenticate func(ctx context.Context, bearer string) (Identity, error)
	// Rate bounds the operations of each caller, or of each address of those that send no
	// token; zero: no bound.
	Rate admission.Rate
	// Logger hears of failures that clients are not told of; nil: nobody.
	Logger *slog.Logger
	// ObserveOperation is told of each answer, and of each subscription when it has ended; nil:
	// nobody is told.
	ObserveOperation func(ctx context.Context, done Operation)
	// ObserveInFlight is told of each query that begins (1) and ends (-1), but for those served
	// by the bytes of their requests; nil: nobody is told.
	ObserveInFlight func(change int)
	// ObservePermits is told of how many queries may be executed now, whenever it changes;
	// nil: nobody is told.
	ObservePermits func(permits int)
	// Tracer makes spans of requests, operations and batches; nil: there are none.
	Tracer trace.Tracer
	// AnswerTrace adds extensions.upstream for requests with the header JobGraph-Trace: 1: what
	// was done for them.
	AnswerTrace bool
	// CacheResponses gives an answer again for as long as each of its jobs would be given
	// from the source as it was; the source must be a [store.Store].
	CacheResponses bool
	// ObserveShared is told of each answer that was given without an execution: how is
	// [responsecache.InFlight] or [responsecache.Cached]; nil: nobody is told.
	ObserveShared func(how string)
	// UpstreamTimeout bounds one page of a list, all of its calls together; 0: nothing does.
	UpstreamTimeout time.Duration
	// SharedDocuments has the persisted queries that were registered at other instances; nil:
	// this one knows its own alone.
	SharedDocuments persisted.Shared
	// Poller polls for subscriptions; nil: one of the source, with its defaults.
	Poller *poll.Poller
	// Connections are the WebSockets and event streams; nil: 1,000 that nobody can end.
	Connections *transport.Connections
	// Callbacks are the subscriptions of routers that are called back; nil: none is.
	Callbacks *transport.Callbacks
	// MaxOperations bounds the operations under way on one WebSocket; 20.
	MaxOperations int
	// AllowOrigin says whether the page that a request comes from may open WebSockets
	// and event streams; nil: pages of the same origin may.
	AllowOrigin func(r *http.Request) bool
}

// NewHandler returns the GraphQL endpoint over the source, which gives lists where it is an
// [upstream.Lister].
func NewHandler(source upstream.Source, opts Options) http.Handler {
	logger := cmp.Or(opts.Logger, slog.New(slog.DiscardHandler))
	poller := opts.Poller
	if poller == nil {
		poller = poll.New(source, poll.Options{Logger: opts.Logger})
	}
	lists, ok := source.(upstream.Lister)
	if !ok {
		lists = noLists{}
	}
	limits := cmp.Or(opts.Limits, admission.DefaultLimits())
	resolver := &Resolver{poller: poller, pages: paging.Pager{Source: lists, Timeout: opts.UpstreamTimeout}, maxPage: limits.IDs}
	own := servedSchema()
	names := renamer(opts.Prefix.names(slices.Collect(maps.Values(own.Types))))
	if len(names) > 0 {
		own = names.schema(own)
	}
	schema := generated.NewExecutableSchema(generated.Config{Resolvers: resolver, Schema: own})
	server := handler.New(schema)
	server.SetErrorPresenter(presentError(logger))
	server.SetRecoverFunc(recovered)
	server.Use(extension.Introspection{}) // who may introspect is the guard's to say
	// The first one sees an answer last: each answer is counted, shared or not, and is
	// shared as the guard left it.
	watch := observer{opts.ObserveOperation, opts.ObserveInFlight, opts.Tracer}
	server.AroundResponses(watch.response)
	server.AroundOperations(watch.operation)
	bytes := opts.Budget
	if bytes == nil {
		bytes = budget.New(0, 0)
	}
	sharing := responsecache.Options{Caller: tokenAndOwn, Store: opts.CacheResponses, Budget: bytes, Observe: opts.ObserveShared}
	if opts.TrustedDocuments != nil {
		sharing.Generation = opts.TrustedDocuments.Generation
	}
	responses := responsecache.New(sharing)
	server.Use(responses)
	if opts.TrustedDocuments != nil {
		server.Use(persisted.Trusted(opts.TrustedDocuments))
	} else {
		server.Use(persisted.Automatic(opts.SharedDocuments))
	}
	guard := admission.New(schema.Schema(), admission.Options{
		Limits:         limits,
		Introspection:  !opts.HideSchema,
		SubgraphSDL:    opts.SubgraphSDL,
		OwnNames:       names.inverse(),
		ServedNames:    names,
		MaxInflight:    opts.MaxInflight,
		ObservePermits: opts.ObservePermits,
		Token:          func(ctx context.Context) string { return callerFrom(ctx).token },
	})
	server.Use(guard)
	server.SetQueryCache(guard)
	server.Use(subgraph{SubgraphSDL(opts.FederationVersion, opts.Prefix)})
	server.Use(representations{entity: names.name("Job")})
	server.Use(singleRootField{})
	server.Use(budget.Extension{Budget: bytes}) // as the last: see there
	// A loader for each operation: a connection may carry many. Operations take
	// turns for the calls of the job API.
	server.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		return next(withLoader(ctx, newLoader(source, lists, callerFrom(ctx), opts.Tracer)))
	})
	server.AroundResponses(prefetch)
	from := callers{defaultToken: opts.DefaultToken, authenticate: opts.Authenticate, scenario: opts.Scenario, answerTrace: opts.AnswerTrace,
		rates: admission.NewRateLimiter(opts.Rate), hash: keyedhash.New()}
	// The first transport that takes a request answers it, and the last takes all.
	maxBody := cmp.Or(opts.MaxBodyBytes, 256<<10)
	requests := transport.NewRequests(maxBody)
	addLiveTransports(server, opts, from, requests)
	server.AddTransport(&transport.HTTP{
		Requests:   requests,
		DisableGET: opts.DisableGET,
		Callbacks:  opts.Callbacks,
		Responses:  responses,
		Limit:      from.limit,
		Overloaded: guard.Overloaded,
		Observe:    watch.unexecuted,
		Panicked:   logPanic(logger),
	})
	return traced(opts.Tracer, from.withRequest(server, maxBody, watch.unexecuted))
}

// addLiveTransports adds those over which a subscription can be told: a WebSocket,
// server-sent events and multipart. Queries work over both as well.
func addLiveTransports(server *handler.Server, opts Options, from callers, requests *transport.Requests) {
	connections := cmp.Or(opts.Connections, transport.NewConnections(transport.ConnectionOptions{}))
	server.AddTransport(transport.WebSocket{
		Connections:   connections,
		Requests:      requests,
		MaxOperations: opts.MaxOperations,
		AllowOrigin:   opts.AllowOrigin,
		Init:          from.withInitToken,
		Limit:         from.limit,
	})
	stream := transport.SSE{Connections: connections, Requests: requests, AllowOrigin: opts.AllowOrigin, Limit: from.limit}
	server.AddTransport(stream)
	server.AddTransport(transport.Multipart(stream))
}

// servedSchema is the schema without what is none of its: @defer, which gqlgen's
// executor answers in parts that no transport of ours sends, so that who asks for it is
// told so; and the types by which gqlgen makes the interface of the reference
// resolvers, which no query can reach. A gateway's composition never sees them.
func servedSchema() *ast.Schema {
	served := *generated.NewExecutableSchema(generated.Config{}).Schema()
	served.Directives = maps.Clone(served.Directives)
	delete(served.Directives, "defer")
	served.Types = maps.Clone(served.Types)
	served.PossibleTypes = maps.Clone(served.PossibleTypes)
	for _, name := range []string{"Entity", "JobRepresentation"} {
		delete(served.Types, name)
		delete(served.PossibleTypes, name)
	}
	return &served
}
