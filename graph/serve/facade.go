package serve

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"jobgraph/graph/budget"
	"jobgraph/graph/serve/admin"
	"jobgraph/graph/serve/identity"
	"jobgraph/graph/serve/logging"
	"jobgraph/graph/serve/memory"
	"jobgraph/graph/serve/settings"
	"jobgraph/graph/serve/tracing"
	"jobgraph/graph/serve/version"
	"jobgraph/graph/serve/web"
	"jobgraph/graph/transport"
	"jobgraph/upstream"
	"jobgraph/upstream/account"
	"jobgraph/upstream/fleet"
	"jobgraph/upstream/poll"
	"jobgraph/upstream/sandbox"
	"jobgraph/upstream/store"
)

// facade is what the parts of one running facade are made of, and the parts so far.
type facade struct {
	*settings.Serve
	logger  *slog.Logger
	metrics *admin.Metrics
	tracer  trace.Tracer // nil: nothing is traced

	listener       net.Listener
	metricsAddress string // as announced
	// backends outlive the public address, which may need them to finish.
	backends []web.Server
	// upstreamURL and token are the settings', or those of the embedded sandbox. The token
	// of an account is its handle.
	upstreamURL, token string
	callbacks          *transport.Callbacks // nil: no router is called back
	identities         *identity.Callers    // nil: callers send tokens of the job API
	fleet              *fleet.Fleet         // nil: this instance is alone
}

// serveFacade wires the facade and serves it: the addresses, the upstream client, the
// cache before it, the pollers, the GraphQL endpoint over them.
func serveFacade(ctx context.Context, c *settings.Serve, stdout, stderr io.Writer) error {
	memory.Tune()
	logger, logBuffer := logging.New(stderr, logging.Options{JSON: c.LogFormat == "json", Level: c.LogLevel})
	defer logBuffer.Close()                        // last of all, after a panic too
	context.AfterFunc(ctx, logBuffer.WriteThrough) // a second signal leaves no time
	f := &facade{Serve: c, logger: logger, metrics: admin.NewMetrics()}
	log.SetFlags(0)
	log.SetOutput(upstream.TransportLog(f.logger))
	build := version.Current()
	f.metrics.Build(build.Version, build.Commit)
	documents, err := trustedDocuments(c.TrustedDocuments)
	if err != nil {
		return err
	}
	if documents != nil {
		watching, stop := context.WithCancel(context.WithoutCancel(ctx))
		var watch sync.WaitGroup
		defer watch.Wait()
		defer stop()
		watch.Go(func() { documents.Watch(watching, f.logger) })
	}
	tracer, flush, err := tracing.Start(ctx, build.Version, f.logger)
	if err != nil {
		return err
	}
	defer flush()
	f.tracer = tracer
	defer f.close()
	if err := f.listen(); err != nil {
		return err
	}
	if f.fleet, err = f.joinFleet(); err != nil {
		return err
	}
	if f.fleet != nil {
		defer f.fleet.Close()
	}
	// Nobody asks before there are these.
	var accounts *account.Accounts
	var jobs *store.Store
	forget := func(key upstream.TokenKey) { jobs.Forget(key) }
	client, err := f.client(build.Version, f.pauses(func() *account.Accounts { return accounts }))
	if err != nil {
		return err
	}
	defer client.Close()
	defer f.shareSlots(client)()
	accounts = account.New(client, client.Login, account.Options{
		Timeout:      c.UpstreamTimeout,
		Logger:       f.logger,
		ObserveLogin: f.metrics.LoggedIn,
		Changed:      forget,
	})
	jobs = store.New(f.secondTier(accounts, forget), f.storeOptions())
	defer jobs.Close()
	defer accounts.Close()
	if err := f.logIn(accounts); err != nil {
		return err
	}
	if f.OIDCIssuer != "" {
		f.identities, err = identity.New(accounts, identity.Options{Issuer: c.OIDCIssuer, Audience: c.OIDCAudience,
			Leeway: c.OIDCLeeway, Tenants: c.Tenants, Logger: f.logger})
		if err != nil {
			return fmt.Errorf("--tenants: %w", err)
		}
		defer f.identities.Close()
	}
	poller := poll.New(jobs, poll.Options{
		Interval:    c.PollInterval,
		MaxInterval: c.PollMax,
		ByList:      c.PollByList,
		MaxJobs:     c.MaxWatchedJobs,
		ObservePoll: f.metrics.Polled,
		Fleet:       f.watching(accounts),
		Logger:      f.logger,
	})
	defer poller.Close()
	connections := transport.NewConnections(transport.ConnectionOptions{Max: c.MaxConnections, MaxPerClient: c.MaxClientConnections})
	f.metrics.Watch(poller.Jobs, connections.Open)
	f.metrics.WatchTogether(poller.FleetStats)
	bytes := budget.New(c.MaxMemoryAnswers, c.MaxResponseBytes)
	f.metrics.Answers(bytes.InUse)
	f.metrics.Cache(jobs.Stats)
	f.metrics.RetryBudget(client.RetriesLeft)
	if len(c.SubscriptionCallback) > 0 {
		f.callbacks = transport.NewCallbacks(transport.CallbackOptions{Origins: c.SubscriptionCallback, Connections: connections, Logger: f.logger})
		defer f.callbacks.Close()
	}
	handler, err := f.public(ctx, f.graphQL(jobs, poller, connections, bytes, documents), func(jobID string) {
		f.metrics.CalledBack()
		poller.Wake(jobID)
	})
	if err != nil {
		return err
	}
	announce(c, stdout, f.logger, f.listener.Addr(), f.metricsAddress)
	// An answer may take as long as its slowest job, and then has to begin.
	return web.Serve(ctx, f.logger, web.Server{
		Listener:        f.listener,
		Handler:         handler,
		WriteTimeout:    c.UpstreamTimeout + 20*time.Second,
		CloseDelay:      c.ShutdownDelay,
		Shutdown:        connections.Shutdown,
		ObserveEviction: f.metrics.ConnectionEvicted,
	}, f.backends...)
}

// listen opens the addresses.
func (f *facade) listen() (err error) {
	if f.listener, err = web.Listen("--listen", f.Listen); err != nil {
		return err
	}
	f.metricsAddress = "none"
	if f.AdminListen != "" {
		listener, err := web.Listen("--admin-listen", f.AdminListen)
		if err != nil {
			return err
		}
		f.backends = append(f.backends, web.Server{Listener: listener, Handler: admin.New(f.metrics)})
		f.metricsAddress = "http://" + localAddress(listener.Addr()) + "/metrics"
	}
	f.upstreamURL, f.token = f.UpstreamURL, f.UpstreamToken
	if f.upstreamURL == "" {
		listener, err := web.Listen("the embedded sandbox", "127.0.0.1:0")
		if err != nil {
			return err
		}
		f.backends = append(f.backends, web.Server{Listener: listener, Handler: sandbox.New(sandbox.Options{TokenLife: time.Hour, Scenario: f.Scenario()})})
		f.upstreamURL, f.token = "http://"+listener.Addr().String(), cmp.Or(f.token, sandbox.Token)
	}
	if f.OIDCIssuer != "" {
		f.token = "" // nobody is served without an identity
	}
	return nil
}

// close is for addresses that were opened and never served.
func (f *facade) close() {
	for _, backend := range f.backends {
		_ = backend.Listener.Close()
	}
	if f.listener != nil {
		_ = f.listener.Close()
	}
}

// logIn opens the server's own account, where it has one.
func (f *facade) logIn(accounts *account.Accounts) error {
	config, ok, err := f.Login.Account()
	if err == nil && ok {
		f.token = accounts.Open(config).Handle()
	}
	return err
}

func (f *facade) client(version string, pauses upstream.Pauses) (*upstream.Client, error) {
	client, err := upstream.New(f.upstreamURL, upstream.Options{
		Timeout:        f.UpstreamTimeout,
		AttemptTimeout: f.UpstreamAttempt,
		Concurrency:    f.UpstreamConcurrency,
		UseProxy:       f.UpstreamProxyFromEnv,
		Version:        version,
		Logger:         f.logger,
		Observer:       f.metrics,
		Tracer:         f.tracer,
		Pauses:         pauses,
	})
	if err != nil {
		return nil, fmt.Errorf("--upstream-url: %w", err)
	}
	return client, nil
}

// storeOptions are without a TTL where nothing is to be cached.
func (f *facade) storeOptions() store.Options {
	opts := store.Options{ObserveCoalesced: f.metrics.Coalesced, ObserveHit: f.metrics.CacheHit, ObserveMiss: f.metrics.CacheMiss}
	if f.Cache {
		opts.SettledTTL, opts.ActiveTTL = f.CacheSettled, f.CacheActive
	}
	return opts
}
