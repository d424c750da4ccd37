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
  playground  %[5]s
  GraphQL     %[1]s/graphql
  metrics     %[2]s
  upstream    %[3]s
Try:
  curl %[1]s/graphql -H 'Content-Type: application/json'%[4]s \
    -d '%[6]s'
`, base, metricsAddress, upstreamName, tokenHint(c), playgroundAddress, example(c))
}

// example is a request that this server takes.
func example(c *settings.Serve) string {
	if c.TrustedDocuments != "" {
		return `{"documentId": "ID"}`
	}
	entity := ""
	if c.Prefix.Entity {
		entity = c.Prefix.Types
	}
	return fmt.Sprintf(`{"query": "{ job(ids: [\"%s\"]) { ... on %sJob { name status } ... on %sApiError { type comment } } }"}`,
		sandbox.DocumentedJobID, entity, c.Prefix.Types)
}

// tokenHint is what the curl example needs beside the query.
func tokenHint(c *settings.Serve) string {
	switch {
	case c.OIDCIssuer != "":
		return " -H 'Authorization: Bearer YOUR_IDENTITY_PROVIDERS_TOKEN'"
	case c.UpstreamURL == "", c.Login.Given():
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
