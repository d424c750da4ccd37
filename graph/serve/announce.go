package serve

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"net"

	"jobgraph/graph/serve/settings"
	"jobgraph/upstream/sandbox"
)

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
	if c.UpstreamURL == "" || c.Login.Given() {
		return ""
	}
	return " -H 'Authorization: Bearer YOUR_API_TOKEN'"
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
