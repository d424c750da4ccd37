package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rs/cors"
)

// Origins are the pages of other origins that may call the API and read its
// answers, such as "https://app.example.com"; "*" is any. None: no other origin.
type Origins []string

// Validate is called at start, by kong.
func (o Origins) Validate() error {
	for _, origin := range o {
		address, err := url.Parse(origin)
		plain := err == nil && (address.Scheme == "https" || address.Scheme == "http") && address.Host != "" &&
			origin == address.Scheme+"://"+address.Host
		if origin != "*" && !plain {
			return errors.New("an origin is a scheme and a host with nothing after it, such as https://app.example.com")
		}
	}
	return nil
}

// Allow says whether the request's page may open a WebSocket or an event
// stream here: one of this very host, one of the origins, or no page at all.
func (o Origins) Allow(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(o, "*") {
		return true
	}
	page, err := url.Parse(origin)
	if err == nil && page.Host != "" && strings.EqualFold(page.Host, r.Host) {
		return true
	}
	return slices.ContainsFunc(o, func(allowed string) bool { return strings.EqualFold(allowed, origin) })
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
		AllowedHeaders: []string{"Accept", "Authorization", "Cache-Control", "Content-Type"},
		ExposedHeaders: []string{"Retry-After"},
		MaxAge:         600,
	}).Handler(next)
}
