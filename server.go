// JobGraph is a GraphQL facade over the cielo24 job API.
package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"jobgraph/graph"
	"jobgraph/graph/admin"
	"jobgraph/graph/examples/page"
	"jobgraph/graph/guard"
	"jobgraph/graph/persisted"
	"jobgraph/graph/playground"
	"jobgraph/graph/transport"
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
	Serve   serveConfig   `cmd:"" default:"withargs" help:"Serve the GraphQL facade over the cielo24 job API, and its playground; without --upstream-url on an embedded sandbox of that API. This is the default command; the others are sandbox and callback-url."`
	Sandbox sandboxConfig `cmd:"" help:"Serve the embedded job API by itself, to try clients on."`

	CallbackURL callbackURLConfig `cmd:"" name:"callback-url" help:"Print the callback_url to hand to the job API, so that a finished job is told at once."`
}

type serveConfig struct {
	Listen               string        `env:"JOBGRAPH_LISTEN" default:":8080" placeholder:"ADDRESS" help:"Address of the API and the playground (default ${default})."`
	AdminListen          string        `env:"JOBGRAPH_ADMIN_LISTEN" default:"127.0.0.1:8081" placeholder:"ADDRESS" help:"Address of metrics and profiles; empty: none (default ${default})."`
	UpstreamURL          string        `name:"upstream-url" env:"JOBGRAPH_UPSTREAM_URL" placeholder:"URL" help:"Base address of the job API, such as https://api.cielo24.com; none: the embedded sandbox."`
	UpstreamToken        string        `env:"JOBGRAPH_UPSTREAM_TOKEN" placeholder:"HEX" help:"API token for callers that send none; none: such callers get BAD_API_TOKEN. The embedded sandbox brings its own."`
	UpstreamTimeout      time.Duration `env:"JOBGRAPH_UPSTREAM_TIMEOUT" default:"10s" help:"Longest wait for one job, retries included."`
	UpstreamAttempt      time.Duration `name:"upstream-attempt-timeout" env:"JOBGRAPH_UPSTREAM_ATTEMPT_TIMEOUT" placeholder:"DURATION" help:"Longest wait for one request of the job API; none: half of --upstream-timeout."`
	UpstreamConcurrency  int           `env:"JOBGRAPH_UPSTREAM_CONCURRENCY" default:"256" placeholder:"N" help:"Most calls of the job API at the same time (default ${default})."`
	UpstreamProxyFromEnv bool          `env:"JOBGRAPH_UPSTREAM_PROXY_FROM_ENV" help:"Obey HTTP_PROXY, HTTPS_PROXY and NO_PROXY towards the job API."`
	PollInterval         time.Duration `env:"JOBGRAPH_POLL_INTERVAL" default:"2s" help:"Time between two looks at a watched job that has just changed or is nearly due (default ${default})."`
	PollMax              time.Duration `env:"JOBGRAPH_POLL_MAX" default:"30s" help:"What that time grows to while the job rests (default ${default})."`
	MaxWatchedJobs       int           `env:"JOBGRAPH_MAX_WATCHED_JOBS" default:"20000" placeholder:"N" help:"Most jobs that are watched at the same time (default ${default})."`
	MaxConnections       int           `env:"JOBGRAPH_MAX_CONNECTIONS" default:"1000" placeholder:"N" help:"Most WebSockets and event streams that are open at the same time (default ${default})."`
	MaxOperations        int           `env:"JOBGRAPH_MAX_OPERATIONS" default:"20" placeholder:"N" help:"Most operations at the same time on one WebSocket (default ${default})."`
	CallbackSecret       string        `env:"JOBGRAPH_CALLBACK_SECRET" placeholder:"TEXT" help:"Take the job API's callbacks at an address made from this secret of 16 characters or more, which the command callback-url prints; none: no callbacks."`
	Cache                bool          `env:"JOBGRAPH_CACHE" default:"true" help:"Keep jobs in memory for a while; --cache=false asks the job API each time (default ${default})."`
	CacheSettled         time.Duration `env:"JOBGRAPH_CACHE_SETTLED" default:"60s" placeholder:"DURATION" help:"How long a job is kept that is complete and was returned (default ${default})."`
	CacheActive          time.Duration `env:"JOBGRAPH_CACHE_ACTIVE" default:"1s" placeholder:"DURATION" help:"How long any other job is kept (default ${default})."`
	ShutdownDelay        time.Duration `env:"JOBGRAPH_SHUTDOWN_DELAY" default:"0s" placeholder:"DURATION" help:"How long /readyz says 503 before the address closes, for load balancers that look seldom (default ${default})."`
	Example              bool          `env:"JOBGRAPH_EXAMPLE" help:"Serve the example page, to learn from, at /example/."`
	Limits               guard.Limits  `embed:""`
	MaxBodyBytes         int64         `env:"JOBGRAPH_MAX_BODY_BYTES" default:"262144" placeholder:"N" help:"Largest body of a request in bytes (default ${default})."`
	MaxInflight          int           `env:"JOBGRAPH_MAX_INFLIGHT" default:"256" placeholder:"N" help:"Most operations under way at the same time, subscriptions aside; more get 503 (default ${default})."`
	Introspection        bool          `env:"JOBGRAPH_INTROSPECTION" default:"true" help:"Show the schema: introspection, /schema.graphqls, and what was meant in errors; --introspection=false hides it (default ${default})."`
	SubgraphSDL          bool          `name:"subgraph-sdl" env:"JOBGRAPH_SUBGRAPH_SDL" help:"Answer a federation gateway's _service in spite of --introspection=false."`
	Playground           bool          `env:"JOBGRAPH_PLAYGROUND" default:"true" help:"Serve GraphiQL at /; --playground=false does not (default ${default})."`
	GET                  bool          `name:"get" env:"JOBGRAPH_GET" default:"true" help:"Run queries sent by GET; --get=false does not (default ${default})."`
	CORSOrigin           web.Origins   `name:"cors-origin" env:"JOBGRAPH_CORS_ORIGIN" placeholder:"ORIGIN" help:"Origins whose pages may call the API, such as https://app.example.com, with commas between; none: no other origin."`
	TrustedDocuments     string        `env:"JOBGRAPH_TRUSTED_DOCUMENTS" placeholder:"FILE" help:"Run only the documents of this JSON manifest (Apollo's, Relay's or graphql-codegen's); none: any document."`
	LogFormat            string        `env:"JOBGRAPH_LOG_FORMAT" default:"text" enum:"text,json" placeholder:"text|json" help:"Log for a person (text) or for a machine (json) (default ${default})."`
	LogLevel             slog.Level    `env:"JOBGRAPH_LOG_LEVEL" default:"info" placeholder:"LEVEL" help:"Least level that is logged: debug, info, warn or error (default ${default})."`
}

type sandboxConfig struct {
	Listen string `env:"JOBGRAPH_SANDBOX_LISTEN" default:":8090" placeholder:"ADDRESS" help:"Address of the job API (default ${default})."`
}

type callbackURLConfig struct {
	PublicURL      string `required:"" env:"JOBGRAPH_PUBLIC_URL" placeholder:"URL" help:"Where the job API reaches this server, such as https://captions.example.com."`
	CallbackSecret string `required:"" env:"JOBGRAPH_CALLBACK_SECRET" placeholder:"TEXT" help:"The server's --callback-secret."`
}

const minCallbackSecret = 16

var errCallbackSecret = fmt.Errorf("--callback-secret must have %d characters or more, such as what openssl rand -hex 16 prints", minCallbackSecret)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
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
		kong.Exit(func(int) { exited = true }), // after --help
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
		return cli.Sandbox.run(ctx, stdout, stderr)
	case command.Command() == "callback-url":
		return cli.CallbackURL.run(stdout)
	default:
		return cli.Serve.run(ctx, stdout, stderr)
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

// Validate is called by kong: what is wrong is said at start, in one line.
func (c *serveConfig) Validate() error {
	switch {
	case c.UpstreamTimeout <= 0:
		return errors.New("--upstream-timeout must be more than 0, such as 10s")
	case c.UpstreamAttempt < 0, c.UpstreamAttempt > c.UpstreamTimeout:
		return errors.New("--upstream-attempt-timeout must be at most --upstream-timeout")
	case c.UpstreamConcurrency <= 0:
		return errors.New("--upstream-concurrency must be at least 1")
	case c.PollInterval < 100*time.Millisecond:
		return errors.New("--poll-interval must be at least 100ms, such as 2s")
	case c.PollMax < c.PollInterval:
		return errors.New("--poll-max must be at least as long as --poll-interval, such as 30s")
	case c.MaxWatchedJobs <= 0:
		return errors.New("--max-watched-jobs must be at least 1")
	case c.MaxConnections <= 0:
		return errors.New("--max-connections must be at least 1")
	case c.MaxOperations <= 0:
		return errors.New("--max-operations must be at least 1")
	case c.CallbackSecret != "" && len(c.CallbackSecret) < minCallbackSecret:
		return errCallbackSecret
	case c.CacheSettled <= 0 || c.CacheActive <= 0:
		return errors.New("--cache-settled and --cache-active must be more than 0; --cache=false keeps nothing")
	case c.ShutdownDelay < 0:
		return errors.New("--shutdown-delay must not be less than 0")
	case c.MaxBodyBytes <= 0:
		return errors.New("--max-body-bytes must be at least 1")
	case c.MaxInflight <= 0:
		return errors.New("--max-inflight must be at least 1")
	case c.UpstreamToken != "" && !upstream.IsToken(c.UpstreamToken):
		return errors.New("--upstream-token must have 1 to 256 hexadecimal digits")
	}
	return c.Limits.Validate()
}

func (c *serveConfig) run(ctx context.Context, stdout, stderr io.Writer) error {
	logger := c.logger(stderr)
	log.SetFlags(0)
	log.SetOutput(upstream.TransportLog(logger))
	metrics := admin.NewMetrics()
	documents, err := c.trustedDocuments()
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
			Watches:          watches,
			Connections:      connections,
			MaxOperations:    c.MaxOperations,
			AllowOrigin:      c.CORSOrigin.Allow,
		}),
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
	c.announce(stdout, logger, listener.Addr(), metricsAddress)
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

// trustedDocuments are nil where any document is run.
func (c *serveConfig) trustedDocuments() (map[string]string, error) {
	if c.TrustedDocuments == "" {
		return nil, nil
	}
	documents, err := persisted.ReadManifest(c.TrustedDocuments)
	if err != nil {
		return nil, fmt.Errorf("--trusted-documents: %w", err)
	}
	return documents, nil
}

func (c *serveConfig) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// announce says how to begin: to a person in plain lines, to a machine in one entry.
func (c *serveConfig) announce(w io.Writer, logger *slog.Logger, address net.Addr, metricsAddress string) {
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
`, base, metricsAddress, upstreamName, c.tokenHint(), sandbox.DocumentedJobID, playgroundAddress)
}

// tokenHint is what the curl example needs beside the query.
func (c *serveConfig) tokenHint() string {
	if c.UpstreamURL == "" || c.UpstreamToken != "" {
		return ""
	}
	return " -H 'Authorization: Bearer YOUR_API_TOKEN'"
}

func (c *sandboxConfig) run(ctx context.Context, stdout, stderr io.Writer) error {
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

// Validate is called by kong.
func (c *callbackURLConfig) Validate() error {
	public, err := url.Parse(c.PublicURL)
	switch {
	case err != nil, public.Scheme != "http" && public.Scheme != "https", public.Host == "", public.RawQuery != "":
		return errors.New("--public-url must be like https://captions.example.com")
	case len(c.CallbackSecret) < minCallbackSecret:
		return errCallbackSecret
	}
	return nil
}

func (c *callbackURLConfig) run(stdout io.Writer) error {
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
