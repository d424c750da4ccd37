package graph

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/ast"

	"jobgraph/graph/generated"
	live "jobgraph/graph/transport"
	"jobgraph/upstream/watch"
)

const (
	// maxRequestBody bounds a request's body in bytes.
	maxRequestBody = 256 << 10
	// maxTokens bounds a query's lexical tokens: validation is quadratic in them.
	maxTokens = 1000
	// cachedQueries is how many parsed and validated texts are kept.
	cachedQueries = 1000
)

// Options are the GraphQL endpoint's settings; a zero field means its default.
type Options struct {
	// MaxIDs bounds the ids in one job(ids:); 100.
	MaxIDs int
	// DefaultToken is the token for callers that send none; "": they get BAD_API_TOKEN.
	DefaultToken string
	// Logger hears of failures that clients are not told of; nil: nobody.
	Logger *slog.Logger
	// ObserveOperation is told of each answer: outcome is "OK" or the first error's
	// code; nil: nobody is told.
	ObserveOperation func(outcome string, took time.Duration)
	// Watches tell subscriptions of changes; nil: watches of the source, with their defaults.
	Watches *watch.Watches
	// Connections are the WebSockets and event streams; nil: 1,000 that nobody can end.
	Connections *live.Connections
	// MaxOperations bounds the operations under way on one WebSocket; 20.
	MaxOperations int
	// AllowOrigin says which foreign origins, such as https://example.com, may open
	// WebSockets and event streams; nil: none.
	AllowOrigin func(origin string) bool
}

// NewHandler returns the GraphQL endpoint over the source.
func NewHandler(source JobSource, opts Options) http.Handler {
	resolver := &Resolver{maxIDs: cmp.Or(opts.MaxIDs, 100), watches: opts.Watches}
	if resolver.watches == nil {
		resolver.watches = watch.New(source, watch.Options{Logger: opts.Logger})
	}
	logger := cmp.Or(opts.Logger, slog.New(slog.DiscardHandler))
	server := handler.New(generated.NewExecutableSchema(generated.Config{Resolvers: resolver}))
	addLiveTransports(server, opts) // before the others: the first that fits is taken
	server.AddTransport(transport.GET{})
	server.AddTransport(transport.POST{})
	server.SetParserTokenLimit(maxTokens)
	server.SetQueryCache(lru.New[*ast.QueryDocument](cachedQueries))
	server.SetErrorPresenter(presentError(logger))
	server.SetRecoverFunc(recovered)
	server.Use(extension.Introspection{})
	server.Use(references{})
	// A loader for each operation: a connection may carry many.
	server.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		return next(withLoader(ctx, newLoader(source, tokenFrom(ctx))))
	})
	if opts.ObserveOperation != nil {
		server.AroundResponses(observed(opts.ObserveOperation))
	}
	return withCaller(server, opts.DefaultToken)
}

// withCaller reads the caller's token and bounds the body.
func withCaller(next http.Handler, defaultToken string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxRequestBody)
		token := bearerToken(r.Header, defaultToken)
		next.ServeHTTP(w, r.WithContext(withToken(r.Context(), token)))
	})
}

func observed(observe func(string, time.Duration)) graphql.ResponseMiddleware {
	return func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
		response := next(ctx)
		if isSubscription(ctx) {
			return response // an event, not an answer: it took as long as the job did
		}
		outcome := "OK"
		if response != nil && len(response.Errors) > 0 {
			outcome = codeInternal
			if code, ok := response.Errors[0].Extensions["code"].(string); ok {
				outcome = code
			}
		}
		var took time.Duration
		if graphql.HasOperationContext(ctx) {
			took = time.Since(graphql.GetOperationContext(ctx).Stats.OperationStart)
		}
		observe(outcome, took)
		return response
	}
}
