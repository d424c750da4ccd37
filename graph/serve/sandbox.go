package serve

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"jobgraph/graph/serve/settings"
	"jobgraph/graph/serve/web"
	"jobgraph/upstream/sandbox"
)

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
