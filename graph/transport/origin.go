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
		allow = fromSameOrigin
	}
	if allow(r) {
		return true
	}
	http.Error(w, "Pages of this origin may not connect. The operator can allow it.", http.StatusForbidden)
	return false
}

func fromSameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	page, err := url.Parse(origin)
	return origin == "" || err == nil && page.Host != "" && strings.EqualFold(page.Host, r.Host)
}
