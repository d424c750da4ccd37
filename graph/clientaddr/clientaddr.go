// Package clientaddr says which connections are one client's, where they are counted.
package clientaddr

import "net/netip"

// A Client is one client as far as its connections are counted. What a proxy writes
// into X-Forwarded-For is not looked at: anybody can write it.
type Client netip.Prefix

// Of is the client at a remote address as net/http writes it: an IPv4 address, or the
// 64 bits of an IPv6 network, as one has a whole one. Whatever is no address and port,
// such as a socket of this machine, is the zero Client.
func Of(remoteAddr string) Client {
	remote, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return Client{}
	}
	address, bits := remote.Addr().Unmap().WithZone(""), 64
	if address.Is4() {
		bits = 32
	}
	prefix, _ := address.Prefix(bits)
	return Client(prefix)
}
