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
	fmt.Fprintf(stdout, "The job API's sandbox serves %[1]s/api/job/info and %[1]s/api/job/list\nJobs:\n", base)
	for _, job := range sandbox.Jobs() {
		fmt.Fprintf(stdout, "  %s  %s\n", job.ID, job.About)
	}
	if c.Jobs > 0 {
		fmt.Fprintf(stdout, "  %s  the newest of %d that are listed besides\n", sandbox.VolumeJobID(0), c.Jobs)
	}
	query := "v=1&api_token=" + sandbox.Token
	fmt.Fprintf(stdout, "Try:\n  curl '%[1]s/api/job/info?%[2]s&job_id=%[3]s'\n  curl '%[1]s/api/job/list?%[2]s&JobStatus=Complete'\n",
		base, query, sandbox.ExampleRequestJobID)
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	handler := sandbox.New(sandbox.Options{Jobs: c.Jobs, ListLag: c.ListLag, TokenLife: c.TokenLife, Scenario: c.Scenario()})
	return web.Serve(ctx, logger, web.Server{Listener: listener, Handler: handler})
}
