// Package settings are the program's flags, each an environment variable as well.
// What is wrong with one stops the program at start with one line.
package settings

import (
	"fmt"
	"log/slog"
	"time"

	"jobgraph/graph"
	"jobgraph/graph/admission"
	"jobgraph/graph/serve/web"
	"jobgraph/graph/transport/callback"
	"jobgraph/upstream/sandbox"
)

// Serve are the settings of the facade. A bool or a limit says in its help line
// what it does; kong sets the defaults.
type Serve struct {
	Listen               string `env:"JOBGRAPH_LISTEN" default:":8080" placeholder:"ADDRESS" help:"Address of the API and the playground (default ${default})."`
	AdminListen          string `env:"JOBGRAPH_ADMIN_LISTEN" default:"127.0.0.1:8081" placeholder:"ADDRESS" help:"Address of metrics and profiles; empty: none (default ${default})."`
	UpstreamURL          string `name:"upstream-url" env:"JOBGRAPH_UPSTREAM_URL" placeholder:"URL" help:"Base address of the job API, such as https://api.cielo24.com; none: the embedded sandbox."`
	Login                `embed:""`
	OIDCIssuer           string         `name:"oidc-issuer" env:"JOBGRAPH_OIDC_ISSUER" placeholder:"URL" help:"Identity provider (OpenID Connect) whose tokens callers send in place of the job API's; it needs --oidc-audience and --tenants."`
	OIDCAudience         string         `name:"oidc-audience" env:"JOBGRAPH_OIDC_AUDIENCE" placeholder:"TEXT" help:"Audience that such a token must be for."`
	OIDCLeeway           time.Duration  `name:"oidc-leeway" env:"JOBGRAPH_OIDC_LEEWAY" default:"30s" placeholder:"DURATION" help:"How far the provider's clock and this one may be apart (default ${default})."`
	Tenants              string         `env:"JOBGRAPH_TENANTS" placeholder:"FILE" help:"File that says which claim of a caller's token names its account of the job API, and what each logs in with; it is read again when it changes."`
	Rate                 admission.Rate `env:"JOBGRAPH_RATE" placeholder:"N/BURST" help:"Operations a second, and at once, that one caller may begin, such as 50/200; more get 429. None: no bound."`
	UpstreamTimeout      time.Duration  `env:"JOBGRAPH_UPSTREAM_TIMEOUT" default:"10s" help:"Longest wait for one job, retries included."`
	UpstreamAttempt      time.Duration  `name:"upstream-attempt-timeout" env:"JOBGRAPH_UPSTREAM_ATTEMPT_TIMEOUT" placeholder:"DURATION" help:"Longest wait for one request of the job API; none: what is left of --upstream-timeout."`
	UpstreamConcurrency  int            `env:"JOBGRAPH_UPSTREAM_CONCURRENCY" default:"256" placeholder:"N" help:"Most calls of the job API at the same time (default ${default})."`
	UpstreamProxyFromEnv bool           `env:"JOBGRAPH_UPSTREAM_PROXY_FROM_ENV" help:"Use HTTP_PROXY, HTTPS_PROXY and NO_PROXY towards the job API."`
	PollInterval         time.Duration  `env:"JOBGRAPH_POLL_INTERVAL" default:"2s" help:"Time between two polls of a watched job that has just changed or is nearly due (default ${default})."`
	PollMax              time.Duration  `env:"JOBGRAPH_POLL_MAX" default:"30s" help:"What that time grows to while the job rests (default ${default})."`
	PollByList           bool           `env:"JOBGRAPH_POLL_BY_LIST" default:"true" help:"Poll the watched jobs of a token by lists where that costs less; --poll-by-list=false asks for each by itself (default ${default})."`
	MaxWatchedJobs       int            `env:"JOBGRAPH_MAX_WATCHED_JOBS" default:"20000" placeholder:"N" help:"Most jobs that are watched at the same time (default ${default})."`
	MaxConnections       int            `env:"JOBGRAPH_MAX_CONNECTIONS" default:"1000" placeholder:"N" help:"Most WebSockets and event streams that are open at the same time (default ${default})."`
	MaxClientConnections int            `name:"max-connections-per-client" env:"JOBGRAPH_MAX_CONNECTIONS_PER_CLIENT" default:"100" placeholder:"N" help:"Most of them that one client address has; 0 where a proxy's address is everybody's: no such bound (default ${default})."`
	MaxOperations        int            `env:"JOBGRAPH_MAX_OPERATIONS" default:"20" placeholder:"N" help:"Most operations at the same time on one WebSocket (default ${default})."`
	CallbackSecret       string         `env:"JOBGRAPH_CALLBACK_SECRET" placeholder:"TEXT" help:"Take the job API's callbacks at an address made from this secret of 16 characters or more, which the command callback-url prints; none: no callbacks."`
	CallbackSecretFile   string         `env:"JOBGRAPH_CALLBACK_SECRET_FILE" placeholder:"FILE" help:"File that --callback-secret is in; it is read again when it changes."`
	Fleet                `embed:""`
	Cache                bool             `env:"JOBGRAPH_CACHE" default:"true" help:"Keep jobs in memory for a while; --cache=false asks the job API each time (default ${default})."`
	CacheSettled         time.Duration    `env:"JOBGRAPH_CACHE_SETTLED" default:"60s" placeholder:"DURATION" help:"How long a job is cached that has settled, such as one that is complete and was returned (default ${default})."`
	CacheActive          time.Duration    `env:"JOBGRAPH_CACHE_ACTIVE" default:"1s" placeholder:"DURATION" help:"How long any other job is cached (default ${default})."`
	CacheAnswers         bool             `env:"JOBGRAPH_CACHE_ANSWERS" default:"true" help:"Serve a cached answer while each of its jobs is cached; --cache-answers=false executes each operation; without --cache it means nothing (default ${default})."`
	ShutdownDelay        time.Duration    `env:"JOBGRAPH_SHUTDOWN_DELAY" default:"0s" placeholder:"DURATION" help:"How long /readyz says 503 before the address closes, for load balancers with a long check interval (default ${default})."`
	Example              bool             `env:"JOBGRAPH_EXAMPLE" help:"Serve the example page, to learn from, at /example/."`
	Limits               admission.Limits `embed:""`
	MaxBodyBytes         int64            `env:"JOBGRAPH_MAX_BODY_BYTES" default:"262144" placeholder:"N" help:"Largest body of a request in bytes (default ${default})."`
	MaxInflight          int              `env:"JOBGRAPH_MAX_INFLIGHT" default:"256" placeholder:"N" help:"Most queries executed at the same time, over all transports; more are refused (default ${default})."`
	MaxResponseBytes     int64            `env:"JOBGRAPH_MAX_RESPONSE_BYTES" default:"8388608" placeholder:"N" help:"Largest answer, or event of a subscription, in bytes (default ${default})."`
	MaxMemoryAnswers     int64            `env:"JOBGRAPH_MAX_MEMORY_ANSWERS" default:"67108864" placeholder:"N" help:"Most bytes of all answers that are being made or sent; more get 503 (default ${default})."`
	Introspection        bool             `env:"JOBGRAPH_INTROSPECTION" default:"true" help:"Show the schema: introspection, /schema.graphqls, _service, and what was meant in errors; --introspection=false hides it (default ${default})."`
	SubgraphSDL          bool             `name:"subgraph-sdl" env:"JOBGRAPH_SUBGRAPH_SDL" help:"Answer a federation gateway's _service in spite of --introspection=false."`
	FederationVersion    string           `env:"JOBGRAPH_FEDERATION_VERSION" default:"2.9" enum:"2.9,2.0" placeholder:"2.9|2.0" help:"Version of federation that _service links: 2.0 for a gateway that knows no newer one, without what a router reads of costs, tags and types to share (default ${default})."`
	Prefix               graph.Prefix     `embed:""`
	SandboxScenario
	Playground           bool             `env:"JOBGRAPH_PLAYGROUND" default:"true" help:"Serve GraphiQL at /; --playground=false does not (default ${default})."`
	GET                  bool             `name:"get" env:"JOBGRAPH_GET" default:"true" help:"Run queries sent by GET; --get=false does not (default ${default})."`
	AllowedHost          web.Hosts        `env:"JOBGRAPH_ALLOWED_HOST" placeholder:"HOST" help:"Names by which the public address may be called, such as captions.example.com, with commas between, beside localhost and IP addresses; WARNING: * lets pages of the web in that point their own name here (DNS rebinding). None: no name where the server lends its own token (--upstream-token or the sandbox's) or listens on loopback only, otherwise any."`
	SubscriptionCallback callback.Origins `name:"subscription-callback-origin" env:"JOBGRAPH_SUBSCRIPTION_CALLBACK_ORIGIN" placeholder:"ORIGIN" help:"Origins of routers that are called back with what is new of a subscription (Apollo's callback/1.0), such as https://router.example.com, with commas between; a private address is called only where it, or a name such as router.internal, is named. None: no router is."`
	CORSOrigin           web.Origins      `name:"cors-origin" env:"JOBGRAPH_CORS_ORIGIN" placeholder:"ORIGIN" help:"Origins whose pages may call the API, such as https://app.example.com, with commas between; WARNING: * is any page of the web; none: no other origin."`
	TrustedDocuments     string           `env:"JOBGRAPH_TRUSTED_DOCUMENTS" placeholder:"FILE" help:"Run only the documents of this JSON manifest (Apollo's, Relay's or graphql-codegen's), or of a folder of them, which are read again when they change; none: any document."`
	LogSlow              time.Duration    `env:"JOBGRAPH_LOG_SLOW" default:"1s" placeholder:"DURATION" help:"Operations that take so long have their line in the log at level info, as those that fail have, and not at debug; 0: none has for that (default ${default})."`
	AnswerTrace          bool             `env:"JOBGRAPH_ANSWER_TRACE" help:"Tell a request with the header JobGraph-Trace: 1 in extensions.upstream how many calls of the job API it took; always on with the embedded sandbox."`
	LogFormat            string           `env:"JOBGRAPH_LOG_FORMAT" default:"text" enum:"text,json" placeholder:"text|json" help:"Log for a person (text) or for a machine (json) (default ${default})."`
	LogLevel             slog.Level       `env:"JOBGRAPH_LOG_LEVEL" default:"info" placeholder:"LEVEL" help:"Least level that is logged: debug, info, warn or error (default ${default})."`
}

// SandboxScenario is a setting of both sandboxes: the embedded one and that by itself.
type SandboxScenario struct {
	Text string `name:"sandbox-scenario" env:"JOBGRAPH_SANDBOX_SCENARIO" placeholder:"TEXT" help:"How the sandbox behaves where a request wants nothing else by the header X-Sandbox, such as slow=2s,fail=503; none: as always."`
}

// Scenario is the parsed one, once it is valid.
func (s SandboxScenario) Scenario() sandbox.Scenario {
	scenario, _ := sandbox.ParseScenario(s.Text)
	return scenario
}

func (s SandboxScenario) validate() error {
	if _, err := sandbox.ParseScenario(s.Text); err != nil {
		return fmt.Errorf("--sandbox-scenario: %w", err)
	}
	return nil
}

// Sandbox are the settings of the sandbox by itself.
type Sandbox struct {
	Listen  string        `env:"JOBGRAPH_SANDBOX_LISTEN" default:":8090" placeholder:"ADDRESS" help:"Address of the job API (default ${default})."`
	Jobs    int           `env:"JOBGRAPH_SANDBOX_JOBS" default:"0" placeholder:"N" help:"How many more jobs the account has, to try lists on, such as 20000 (default ${default})."`
	ListLag time.Duration `env:"JOBGRAPH_SANDBOX_LIST_LAG" default:"0s" placeholder:"DURATION" help:"How far lists are behind the jobs' info, such as 3s (default ${default})."`
	SandboxScenario
	TokenLife time.Duration `env:"JOBGRAPH_SANDBOX_TOKEN_LIFE" default:"1h" placeholder:"DURATION" help:"How long a token of a login lives without being used (default ${default})."`
}

// CallbackURL are the settings of the command that prints the address for callbacks.
type CallbackURL struct {
	PublicURL          string `required:"" env:"JOBGRAPH_PUBLIC_URL" placeholder:"URL" help:"Where the job API reaches this server, such as https://captions.example.com."`
	CallbackSecret     string `env:"JOBGRAPH_CALLBACK_SECRET" placeholder:"TEXT" help:"The server's --callback-secret."`
	CallbackSecretFile string `env:"JOBGRAPH_CALLBACK_SECRET_FILE" placeholder:"FILE" help:"File that the server's --callback-secret is in."`
}

// Health are the settings of the command that asks a running server how it is.
type Health struct {
	Listen string `env:"JOBGRAPH_LISTEN" default:":8080" placeholder:"ADDRESS" help:"The server's --listen (default ${default})."`
	Ready  bool   `help:"Ask whether it is ready, not only alive."`
}

// Doctor are the settings of the command that tries the job API.
type Doctor struct {
	UpstreamURL          string `name:"upstream-url" required:"" env:"JOBGRAPH_UPSTREAM_URL" placeholder:"URL" help:"The server's --upstream-url."`
	Login                `embed:""`
	Tenants              string        `env:"JOBGRAPH_TENANTS" placeholder:"FILE" help:"The server's --tenants: each account logs in once, the first 20 of them."`
	UpstreamTimeout      time.Duration `env:"JOBGRAPH_UPSTREAM_TIMEOUT" default:"10s" help:"Longest wait for one answer."`
	UpstreamProxyFromEnv bool          `env:"JOBGRAPH_UPSTREAM_PROXY_FROM_ENV" help:"Use HTTP_PROXY, HTTPS_PROXY and NO_PROXY."`
	JobID                string        `name:"job-id" default:"00000000000000000000000000000000" placeholder:"ID" help:"A job to ask for (default: one that does not exist)."`
}

// Validate is called by kong.
func (c *Doctor) Validate() error {
	if c.UpstreamTimeout <= 0 {
		return errUpstreamTimeout
	}
	return c.Login.validate()
}
