package web

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Hosts are the names by which an address may be called, beside those by which it
// always may: localhost and IP addresses. "*" is any name.
//
// A page of the web can let its own name point here (DNS rebinding). To the browser
// it is then of the same origin as this server, and reads whatever a request without
// a token gets. Its requests still carry the page's name in Host, and no name but
// localhost is the same to everybody: so a name is held against this list. A
// request without Host is let in: no browser sends one.
//
// WARNING: "*" lets such pages in. It is safe only where a request without a token
// gets nothing, and where nobody but the public is near this server.
type Hosts []string

const anyHost = "*"

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?\.?$`)

// Validate is called at start, by kong.
func (h Hosts) Validate() error {
	for _, name := range h {
		if name != anyHost && (!hostName.MatchString(name) || len(name) > 254) {
			return errors.New("a host is a name without scheme and port, in ASCII, such as captions.example.com; a * by itself is any name")
		}
	}
	return nil
}

// allow says whether a request to the host, as its header has it, is answered.
func (h Hosts) allow(host string) bool {
	if host == "" || slices.Contains(h, anyHost) {
		return true
	}
	name := withoutPort(host)
	if _, err := netip.ParseAddr(name); err == nil || strings.EqualFold(name, "localhost") {
		return true
	}
	return slices.ContainsFunc(h, func(allowed string) bool {
		return strings.EqualFold(strings.TrimSuffix(allowed, "."), name)
	})
}

// withoutPort is the name or the address alone, without brackets and without the dot
// that a whole name may end with.
func withoutPort(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	return strings.TrimSuffix(host, ".")
}

// Middleware answers 421 to any other name, before anything else is done. WebSockets
// and event streams begin as requests, and are held against the list as well.
func (h Hosts) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.allow(r.Host) {
			writeText(w, http.StatusMisdirectedRequest, misdirected)
			return
		}
		next.ServeHTTP(w, r)
	})
}

const misdirected = "This server is not called by this name. Call it by its IP address or as localhost; " +
	"the operator can allow a name at the public address with --allowed-host NAME (JOBGRAPH_ALLOWED_HOST).\n"
