// JobGraph is a GraphQL facade over the cielo24 job API. The program itself is
// graph/serve; here are the signals, the arguments and the exit code.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"jobgraph/graph/serve"
	"jobgraph/graph/serve/logging"
)

//go:generate go tool gqlgen generate

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	// A server does not die of a log whose reader has ended: writes fail, and lines are lost.
	signal.Ignore(syscall.SIGPIPE)
	err := serve.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, syscall.EPIPE) { // as of jobgraph licenses | head
		os.Exit(1)
	}
	if err != nil {
		last := logging.NewBuffer(os.Stderr, 0, nil) // one that nobody reads must not hold the end up
		fmt.Fprintln(last, "jobgraph:", err)
		_ = last.Close()
		os.Exit(1)
	}
}
