// JobGraph is a GraphQL facade over the cielo24 job API.
package main

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"jobgraph/graph"
	"jobgraph/graph/admin"
	"jobgraph/graph/examples/page"
	"jobgraph/graph/memory"
	"jobgraph/graph/persisted"
	"jobgraph/graph/playground"
	"jobgraph/graph/settings"
	"jobgraph/graph/transport"
	"jobgraph/graph/version"
	"jobgraph/graph/web"
	"jobgraph/upstream"
	"jobgraph/upstream/cache"
	"jobgraph/upstream/sandbox"
	"jobgraph/upstream/watch"
)

//go:generate go tool gqlgen generate

//go:embed schema.graphqls
var schema string

type commands struct {
	Serve   settings.Serve   `cmd:"" default:"withargs" help:"Serve the GraphQL facade over the cielo24 job API, and its playground; without --upstream-url on an embedded sandbox of that API. This is the default command; the others are sandbox and callback-url."`
	Sandbox settings.Sandbox `cmd:"" help:"Serve the embedded job API by itself, to try clients on."`

	Version kong.VersionFlag `help:"Print the version and end."`

	CallbackURL settings.CallbackURL `cmd:"" name:"callback-url" help:"Print the callback_url to hand to the job API, so that a finished job is told at once."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "jobgraph:", err)
		os.Exit(1)
	}
}

// run is the program. It returns when ctx is done and everything has stopped.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var cli commands
	exited := false
	parser, err := kong.New(&cli,
		kong.Name("jobgraph"),
		kong.Description("A GraphQL facade over the cielo24 job API. Without --upstream-url it runs on an embedded sandbox of that API."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { exited = true }), // after --help and --version
		kong.Vars{"version": version.Current().String()},
		kong.Help(help),
	)
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	switch {
	case exited:
		return nil
	case err != nil:
		return err
	case command.Command() == "sandbox":
		return serveSandbox(ctx, &cli.Sandbox, stdout, stderr)
	case command.Command() == "callback-url":
		return printCallbackURL(&cli.CallbackURL, stdout)
	default:
		return serve(ctx, &cli.Serve, stdout, stderr)
	}
}

// help shows the default command's flags where no command is named.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	if ctx.Selected() == nil {
		serve, err := kong.Trace(ctx.Kong, []string{"serve"})
		if err != nil {
			return err
		}
		ctx = serve
	}
	return kong.DefaultHelpPrinter(options, ctx)
}

// serve wires the facade: the upstream client, the cache before it, who watches
// jobs, the GraphQL endpoint over them, and the addresses.
func serve(ctx context.Context, c *settings.Serve, stdout, stderr io.Writer) error {
	memory.Tune()
	logger := newLogger(c, stderr)
	log.SetFlags(0)
	log.SetOutput(upstream.TransportLog(logger))
	metrics := admin.NewMetrics()
	build := version.Current()
	metrics.Build(build.Version, build.Commit)
	documents, err := trustedDocuments(c.TrustedDocuments)
	if err != nil {
		return err
	}

	listener, err := web.Listen("--listen", c.Listen)
	if err != nil {
		return err
	}
	var behind []web.Server // they outlive the public one, which may need them to finish
	metricsAddress := "none"
	if c.AdminListen != "" {
		listener, err := web.Listen("--admin-listen", c.AdminListen)
		if err != nil {
			return err
		}
		behind = append(behind, web.Server{Listener: listener, Handler: admin.New(metrics)})
		metricsAddress = "http://" + localAddress(listener.Addr()) + "/metrics"
	}
	upstreamURL, token := c.UpstreamURL, c.UpstreamToken
	if upstreamURL == "" {
		listener, err := web.Listen("the embedded sandbox", "127.0.0.1:0")
		if err != nil {
			return err
		}
		behind = append(behind, web.Server{Listener: listener, Handler: sandbox.New(sandbox.Options{})})
		upstreamURL, token = "http://"+listener.Addr().String(), cmp.Or(token, sandbox.Token)
	}

	client, err := upstream.New(upstreamURL, upstream.Options{
		Timeout:        c.UpstreamTimeout,
		AttemptTimeout: c.UpstreamAttempt,
		Concurrency:    c.UpstreamConcurrency,
		UseProxy:       c.UpstreamProxyFromEnv,
		Version:        build.Version,
		Logger:         logger,
		Observer:       metrics,
	})
	if err != nil {
		return fmt.Errorf("--upstream-url: %w", err)
	}
	defer client.Close()
	plainSchema, err := graph.PlainSDL(schema)
	if err != nil {
		return err
	}
	var source graph.JobSource = client
	if c.Cache {
		kept := cache.New(client, cache.Options{Settled: c.CacheSettled, Active: c.CacheActive})
		defer kept.Close()
		source = kept
	}
	watches := watch.New(source, watch.Options{
		Interval:    c.PollInterval,
		MaxInterval: c.PollMax,
		MaxJobs:     c.MaxWatchedJobs,
		Logger:      logger,
	})
	connections := transport.NewConnections(c.MaxConnections)
	metrics.Watch(watches.Jobs, connections.Open)
	readiness := &web.Readiness{}
	context.AfterFunc(ctx, readiness.Leave)
	options := web.Options{
		GraphQL: graph.NewHandler(source, graph.Options{
			Limits:           c.Limits,
			MaxBodyBytes:     c.MaxBodyBytes,
			MaxInflight:      c.MaxInflight,
			HideSchema:       !c.Introspection,
			SubgraphSDL:      c.SubgraphSDL,
			DisableGET:       !c.GET,
			TrustedDocuments: documents,
			DefaultToken:     token,
			Logger:           logger,
			ObserveOperation: metrics.OperationDone,
			KeepAnswers:      c.Cache && c.CacheAnswers,
			ObserveShared:    metrics.AnswerShared,
			Watches:          watches,
			Connections:      connections,
			MaxOperations:    c.MaxOperations,
			AllowOrigin:      c.CORSOrigin.Allow,
		}),
		Hosts:          allowedHosts(c.AllowedHost, token != "", listener.Addr()),
		Origins:        c.CORSOrigin,
		Readiness:      readiness,
		CallbackSecret: c.CallbackSecret,
		Wake:           watches.Wake,
		Logger:         logger,
	}
	if c.Playground {
		options.Playground = playground.Handler()
	}
	if c.Introspection {
		options.Schema = plainSchema
	}
	if c.Example {
		options.Example = page.Handler()
	}
	announce(c, stdout, logger, listener.Addr(), metricsAddress)
	// An answer may take as long as its slowest job, and then has to be sent.
	public := web.Server{
		Listener:     listener,
		Handler:      web.New(options),
		WriteTimeout: c.UpstreamTimeout + 20*time.Second,
		CloseDelay:   c.ShutdownDelay,
		Leave:        connections.Leave,
	}
	return web.Serve(ctx, logger, public, behind...)
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
func trustedDocuments(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	documents, err := persisted.ReadManifest(path)
	if err != nil {
		return nil, fmt.Errorf("--trusted-documents: %w", err)
	}
	return documents, nil
}

func newLogger(c *settings.Serve, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// announce says how to begin: to a person in plain lines, to a machine in one entry.
func announce(c *settings.Serve, w io.Writer, logger *slog.Logger, address net.Addr, metricsAddress string) {
	base := "http://" + localAddress(address)
	upstreamName := cmp.Or(c.UpstreamURL, "the embedded sandbox")
	playgroundAddress := "none"
	if c.Playground {
		playgroundAddress = base + "/"
	}
	if c.LogFormat == "json" {
		logger.Info("JobGraph serves", "playground", playgroundAddress, "graphql", base+"/graphql", "metrics", metricsAddress, "upstream", upstreamName)
		return
	}
	fmt.Fprintf(w, `JobGraph serves
  playground  %[6]s
  GraphQL     %[1]s/graphql
  metrics     %[2]s
  upstream    %[3]s
Try:
  curl %[1]s/graphql -H 'Content-Type: application/json'%[4]s \
    -d '{"query": "{ job(ids: [\"%[5]s\"]) { ... on Job { name status } ... on ApiError { type comment } } }"}'
`, base, metricsAddress, upstreamName, tokenHint(c), sandbox.DocumentedJobID, playgroundAddress)
}

// tokenHint is what the curl example needs beside the query.
func tokenHint(c *settings.Serve) string {
	if c.UpstreamURL == "" || c.UpstreamToken != "" {
		return ""
	}
	return " -H 'Authorization: Bearer YOUR_API_TOKEN'"
}

func serveSandbox(ctx context.Context, c *settings.Sandbox, stdout, stderr io.Writer) error {
	listener, err := web.Listen("--listen", c.Listen)
	if err != nil {
		return err
	}
	base := "http://" + localAddress(listener.Addr())
	fmt.Fprintf(stdout, "The job API's sandbox serves %s/api/job/info\nJobs:\n", base)
	for _, job := range sandbox.Jobs() {
		fmt.Fprintf(stdout, "  %s  %s\n", job.ID, job.About)
	}
	fmt.Fprintf(stdout, "Try:\n  curl '%s/api/job/info?v=1&api_token=%s&job_id=%s'\n", base, sandbox.Token, sandbox.ExampleRequestJobID)
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	return web.Serve(ctx, logger, web.Server{Listener: listener, Handler: sandbox.New(sandbox.Options{})})
}

func printCallbackURL(c *settings.CallbackURL, stdout io.Writer) error {
	_, err := fmt.Fprintln(stdout, strings.TrimSuffix(c.PublicURL, "/")+web.CallbackPath(c.CallbackSecret))
	return err
}

// localAddress is how this machine reaches the address: one that listens
// everywhere is reached at localhost.
func localAddress(address net.Addr) string {
	host, port, err := net.SplitHostPort(address.String())
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		return net.JoinHostPort("localhost", port)
	}
	return address.String()
}
