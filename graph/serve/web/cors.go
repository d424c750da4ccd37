package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rs/cors"

	"jobgraph/graph/admission"
	"jobgraph/graph/transport"
)

// Origins are the pages of other origins that may call the API and read its
// answers, such as "https://app.example.com"; none: no other origin.
//
// WARNING: "*" is any page of the web. Credentials are never allowed, so such a page
// has only the token that it brings, but where the server lends its own token every
// visitor's browser reads with that.
type Origins []string

// Validate is called at start, by kong.
func (o Origins) Validate() error {
	for _, origin := range o {
		if err := checkOrigin(origin); err != nil {
			return err
		}
	}
	return nil
}

// checkOrigin refuses a pattern such as https://*.example.com: one name that anybody
// can have below a domain would be let in with all others.
func checkOrigin(origin string) error {
	address, err := url.Parse(origin)
	switch {
	case origin == "*":
		return nil
	case strings.Contains(origin, "*"):
		return errors.New("an origin holds no *: name each one, such as https://app.example.com; a * by itself is any origin")
	case err != nil, address.Host == "", origin != address.Scheme+"://"+address.Host:
		return errors.New("an origin is a scheme and a host with nothing after it, such as https://app.example.com")
	case address.Scheme != "https" && address.Scheme != "http":
		return errors.New("an origin begins with https:// or http://, such as https://app.example.com")
	}
	return nil
}

// Allow says whether the request's page may open a WebSocket or an event
// stream here: one of this very host, one of the origins, or no page at all.
func (o Origins) Allow(r *http.Request) bool {
	return transport.SameOrigin(r) || slices.ContainsFunc(o, func(allowed string) bool {
		return allowed == "*" || strings.EqualFold(allowed, r.Header.Get("Origin"))
	})
}

// middleware answers preflights and lets the origins read. Credentials (cookies)
// are never allowed: the token is sent by hand.
func (o Origins) middleware(next http.Handler) http.Handler {
	if len(o) == 0 {
		return next
	}
	return cors.New(cors.Options{
		AllowedOrigins: o,
		AllowedMethods: []string{http.MethodGet, http.MethodPost},
		AllowedHeaders: []string{"Accept", "Authorization", "Cache-Control", "Content-Type", "If-None-Match", "JobGraph-Trace", "Traceparent", "Tracestate", "X-Sandbox", admission.PriceHeader},
		ExposedHeaders: []string{"Etag", "Retry-After", admission.PriceHeader, "JobGraph-Upstream-Calls"},
		MaxAge:         600,
	}).Handler(next)
}
