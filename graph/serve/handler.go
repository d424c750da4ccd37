package serve

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"jobgraph/graph"
	"jobgraph/graph/admission/persisted"
	"jobgraph/graph/budget"
	"jobgraph/graph/playground"
	"jobgraph/graph/serve/page"
	"jobgraph/graph/serve/web"
	"jobgraph/graph/transport"
	"jobgraph/upstream"
	"jobgraph/upstream/poll"
	"jobgraph/upstream/sandbox"
)

// graphQL is the endpoint, without what stands before it.
func (f *facade) graphQL(source upstream.Source, poller *poll.Poller, connections *transport.Connections, bytes *budget.Budget, documents *persisted.List) http.Handler {
	options := graph.Options{
		Scenario:          f.scenarios(),
		Limits:            f.Limits,
		MaxBodyBytes:      f.MaxBodyBytes,
		MaxInflight:       f.MaxInflight,
		Budget:            bytes,
		HideSchema:        !f.Introspection,
		SubgraphSDL:       f.SubgraphSDL,
		FederationVersion: f.FederationVersion,
		Prefix:            f.Prefix,
		DisableGET:        !f.GET,
		TrustedDocuments:  documents,
		DefaultToken:      f.token,
		Logger:            f.logger,
		ObserveOperation:  f.observe,
		ObserveInFlight:   f.metrics.OperationsInFlight,
		ObservePermits:    f.metrics.Permits,
		Tracer:            f.tracer,
		AnswerTrace:       f.AnswerTrace || f.UpstreamURL == "",
		CacheResponses:    f.Cache && f.CacheAnswers,
		ObserveShared:     f.metrics.AnswerShared,
		Poller:            poller,
		UpstreamTimeout:   f.UpstreamTimeout,
		Callbacks:         f.callbacks,
		Connections:       connections,
		MaxOperations:     f.MaxOperations,
		AllowOrigin:       f.CORSOrigin.Allow,
		Rate:              f.Rate,
	}
	if f.fleet != nil {
		options.SharedDocuments = f.fleet.Documents()
	}
	if f.identities != nil {
		options.Authenticate = f.identities.Authenticate
	}
	return graph.NewHandler(source, options)
}

// scenarios are the embedded sandbox's alone.
func (f *facade) scenarios() func(token, text string) string {
	if f.UpstreamURL != "" {
		return nil
	}
	return sandbox.ScenarioToken
}

// public is the public address's handler.
func (f *facade) public(ctx context.Context, graphQL http.Handler, wake func(jobID string)) (http.Handler, error) {
	callbacks, err := f.Callbacks()
	if err != nil {
		return nil, err
	}
	readiness := &web.Readiness{}
	context.AfterFunc(ctx, readiness.SetNotReady)
	options := web.Options{
		GraphQL:   graphQL,
		Hosts:     allowedHosts(f.AllowedHost, f.token != "", f.listener.Addr()),
		Origins:   f.CORSOrigin,
		Readiness: readiness,
		Wake:      wake,
		Logger:    f.logger,
	}
	if callbacks != nil {
		options.CallbackSecret = callbacks.Get
	}
	if f.Playground {
		options.Playground = playground.Handler()
	}
	if f.Introspection {
		schema, err := graph.PlainSDL(graph.SubgraphSDL("", f.Prefix))
		if err != nil {
			return nil, err
		}
		options.Schema = schema
	}
	if f.Example {
		options.Example = page.Handler()
	}
	return web.New(options), nil
}

// allowedHosts are any where none are named and nothing is won by a page that lets
// its own name point here: it gets no token, and reaches no address that it does not
// reach without.
func allowedHosts(named web.Hosts, lendsToken bool, address net.Addr) web.Hosts {
	tcp, ok := address.(*net.TCPAddr)
	if len(named) > 0 || lendsToken || ok && tcp.IP.IsLoopback() {
		return named
	}
	return web.Hosts{"*"}
}

// trustedDocuments are nil where any document is run.
func trustedDocuments(path string) (*persisted.List, error) {
	if path == "" {
		return nil, nil
	}
	documents, err := persisted.ReadList(path)
	if err != nil {
		return nil, fmt.Errorf("--trusted-documents: %w", err)
	}
	return documents, nil
}
