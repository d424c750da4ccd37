package graph

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"jobgraph/graph/transport"
)

// addLiveTransports adds those over which a subscription can be told: a WebSocket
// and server-sent events. Queries work over both as well.
func addLiveTransports(server *handler.Server, opts Options) {
	connections := cmp.Or(opts.Connections, transport.NewConnections(0))
	server.AddTransport(transport.WebSocket{
		Connections:   connections,
		MaxOperations: opts.MaxOperations,
		AllowOrigin:   opts.AllowOrigin,
		Init:          withInitToken,
	})
	server.AddTransport(transport.SSE{Connections: connections, AllowOrigin: opts.AllowOrigin})
}

// withInitToken reads the token from connection_init's payload, written there as in
// a header: {"Authorization": "Bearer HEX"}, in any case, and once. Without one the
// upgrade request's counts.
func withInitToken(ctx context.Context, payload map[string]any) (context.Context, error) {
	var lines []string
	for name, value := range payload {
		if !strings.EqualFold(name, "Authorization") {
			continue
		}
		line, ok := value.(string)
		if !ok {
			return nil, errors.New("send Authorization as a text such as Bearer HEX")
		}
		lines = append(lines, line)
	}
	return withToken(ctx, bearerToken(lines, tokenFrom(ctx))), nil
}

// oneField refuses subscriptions that pass validation and that gqlgen would fail on
// while they run: without a field, because of @skip, or with __typename.
type oneField struct{}

func (oneField) ExtensionName() string                          { return "oneField" }
func (oneField) Validate(schema graphql.ExecutableSchema) error { return nil }

// MutateOperationContext is gqlgen's name for a check before anything is executed.
func (oneField) MutateOperationContext(_ context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	if operation.Operation.Operation != ast.Subscription {
		return nil
	}
	fields := graphql.CollectFields(operation, operation.Operation.SelectionSet, []string{"Subscription"})
	if len(fields) == 1 && !strings.HasPrefix(fields[0].Name, "__") {
		return nil
	}
	return &gqlerror.Error{
		Message:    "A subscription must have exactly one field, such as jobUpdated.",
		Extensions: map[string]any{"code": errcode.ValidationFailed},
	}
}

func isSubscription(ctx context.Context) bool {
	if !graphql.HasOperationContext(ctx) {
		return false
	}
	operation := graphql.GetOperationContext(ctx).Operation
	return operation != nil && operation.Operation == ast.Subscription
}
