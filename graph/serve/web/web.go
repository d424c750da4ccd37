// Package web is the public address: the routes, and the middleware around them.
package web

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"jobgraph/graph/transport"
)

// Options are what the public address serves.
type Options struct {
	// GraphQL answers at /graphql.
	GraphQL http.Handler
	// Playground answers at / and below /assets/; nil: nothing does.
	Playground http.Handler
	// Example answers below /example/; nil: nothing does.
	Example http.Handler
	// Schema is the text at /schema.graphqls, for code generators and editors; "":
	// there is none.
	Schema string
	// Hosts are the names that the address is called by; nil: localhost and IP addresses.
	Hosts Hosts
	// Origins may call /graphql from pages of other origins.
	Origins Origins
	// Readiness answers at /readyz.
	Readiness *Readiness
	// CallbackSecret gives what signs the address of callbacks; nil: there is none.
	CallbackSecret func() string
	// Wake is called with the job id of each callback.
	Wake func(jobID string)
	// ProgressTimeout is how long a reader may take for 64 KiB of an answer; 10 s.
	ProgressTimeout time.Duration
	// Logger gets a line for each request.
	Logger *slog.Logger
}

// New returns the public address's handler.
func New(opts Options) http.Handler {
	mux := http.NewServeMux()
	graphQL := opts.Origins.middleware(opts.GraphQL)
	mux.Handle("/graphql", graphQL)
	mux.Handle("/graphql/{"+transport.DocumentPath+"}", graphQL)
	if opts.Schema != "" {
		mux.Handle("GET /schema.graphqls", text(opts.Schema))
	}
	mux.Handle("GET /healthz", text("ok\n"))
	mux.Handle("GET /readyz", opts.Readiness)
	if opts.CallbackSecret != nil {
		mux.Handle("GET "+callbacksPath+"{signature}", callbacks(opts.CallbackSecret, opts.Wake))
	}
	if opts.Example != nil {
		mux.Handle("/example/", http.StripPrefix("/example", opts.Example))
	}
	if opts.Playground != nil {
		mux.Handle("/", opts.Playground)
	}
	return accessLog(opts.Logger, withSecurityHeaders(opts.Hosts.Middleware(withoutReadDeadline(withWriteProgress(cmp.Or(opts.ProgressTimeout, progressTimeout), mux)))))
}

func text(body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeText(w, http.StatusOK, body)
	})
}

func writeText(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}
