package callback

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Origins are the routers that may be called back, such as "https://router.example.com":
// a caller names the address, so no other one is called.
type Origins []string

// Validate is called at start, by kong.
func (o Origins) Validate() error {
	for _, origin := range o {
		address, err := url.Parse(origin)
		switch {
		case err != nil, address.Host == "", address.Hostname() == "", origin != address.Scheme+"://"+address.Host,
			strings.Contains(origin, "*"), address.Scheme != "https" && address.Scheme != "http":
			return errors.New("an origin of a router is http:// or https:// and a host with nothing after it, such as https://router.example.com")
		}
	}
	return nil
}

// maxURL bounds the address that a caller names, in bytes.
const maxURL = 2048

// Check gives the address where it is one of these origins'. The error says nothing of it.
func (o Origins) Check(text string) (*url.URL, error) {
	address, err := url.Parse(text)
	switch {
	case len(text) > maxURL, err != nil, address.Host == "", address.Opaque != "":
		return nil, errors.New("it is not an absolute http or https address")
	case address.User != nil, address.Fragment != "":
		return nil, errors.New("it must have no user, password or fragment")
	case !slices.ContainsFunc(o, func(allowed string) bool {
		return strings.EqualFold(withoutDefaultPort(allowed), withoutDefaultPort(address.Scheme+"://"+address.Host))
	}):
		return nil, errors.New("it is not of an origin that the operator of this server has allowed")
	}
	return address, nil
}

// withoutDefaultPort is the origin as most clients write it: a router names the port or leaves
// it out, whatever the operator did.
func withoutDefaultPort(origin string) string {
	if scheme, _, _ := strings.Cut(origin, ":"); strings.EqualFold(scheme, "https") {
		return strings.TrimSuffix(origin, ":443")
	}
	return strings.TrimSuffix(origin, ":80")
}

// mayBePrivate says whether the operator has named a host of a private network: an address,
// or a name that no public one has. Any other name must not lead there, whatever its DNS says.
func mayBePrivate(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(host); err == nil || !strings.Contains(host, ".") {
		return true
	}
	return slices.ContainsFunc([]string{".internal", ".local", ".localhost", ".svc", ".lan", ".home.arpa", ".test"},
		func(suffix string) bool { return strings.HasSuffix(host, suffix) })
}

// reachable says whether the address may be dialled for the host. Where the link's own
// addresses are meant, which have a cloud's secrets, they must be named by number.
func reachable(host string, address netip.Addr) bool {
	address = address.Unmap()
	if named, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return named.Unmap() == address
	}
	switch {
	case address.IsLinkLocalUnicast(), address.IsMulticast(), address.IsUnspecified():
		return false
	case address.IsPrivate(), address.IsLoopback(), sharedSpace.Contains(address):
		return mayBePrivate(host)
	}
	return true
}

// sharedSpace is that of carriers, and of the inside of some clouds.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")
