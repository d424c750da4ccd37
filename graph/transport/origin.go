package transport

import (
	"net/http"
	"net/url"
	"strings"
)

// fromAllowedOrigin is false, and has answered, where a page of another origin asks
// that may not. A browser by itself lets every page connect.
func fromAllowedOrigin(w http.ResponseWriter, r *http.Request, allow func(*http.Request) bool) bool {
	if allow == nil {
		allow = SameOrigin
	}
	if allow(r) {
		return true
	}
	http.Error(w, "Pages of this origin may not connect. The operator can allow it.", http.StatusForbidden)
	return false
}

// SameOrigin says whether no page asks, or one of the very host that is asked.
func SameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	page, err := url.Parse(origin)
	return origin == "" || err == nil && page.Host != "" && strings.EqualFold(page.Host, r.Host)
}
