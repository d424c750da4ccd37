package callback

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReachable_PrivateAddressesAreOnlyThoseThatAreNamed(t *testing.T) {
	for host, want := range map[string]map[string]bool{
		"router.example.com": {"93.184.216.34": true, "2606:2800::1": true, "10.0.0.1": false, "127.0.0.1": false, "::1": false,
			"192.168.0.1": false, "169.254.169.254": false, "fe80::1": false, "fd00::1": false, "::ffff:10.0.0.1": false, "0.0.0.0": false,
			"100.64.0.1": false, "224.0.0.1": false},
		"router":           {"10.0.0.1": true, "127.0.0.1": true, "169.254.169.254": false},
		"Router.Internal.": {"10.0.0.1": true, "fe80::1": false},
		"internal.example": {"10.0.0.1": false},
		"localhost":        {"127.0.0.1": true, "::1": true},
		"169.254.169.254":  {"169.254.169.254": true, "127.0.0.1": false},
		"10.0.0.1":         {"10.0.0.1": true, "10.0.0.2": false},
		"::1":              {"::1": true},
	} {
		for address, reached := range want {
			assert.Equal(t, reached, reachable(host, netip.MustParseAddr(address)), "%s at %s", host, address)
		}
	}
}

func TestClient_ErrorsSayNothingOfTheAddress(t *testing.T) {
	client := NewClient()
	defer client.Close()
	for _, text := range []string{"http://127.0.0.1:1/c0ffee?c0ffee=1", "http://router.invalid/c0ffee"} {
		address, err := url.Parse(text)
		require.NoError(t, err)
		err = client.Check(t.Context(), Subscription{Address: address, ID: "c0ffee", Verifier: "c0ffee"})
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "c0ffee")
	}
}

func TestOrigins_Validate(t *testing.T) {
	for _, good := range []string{"https://router.example.com", "http://10.0.0.1:4000", "http://router"} {
		assert.NoError(t, Origins{good}.Validate(), good)
	}
	for _, bad := range []string{"", "*", "https://*.example.com", "router.example.com", "https://router.example.com/", "ftp://router", "https://user@router", "https://:4000", "https://router?a"} {
		assert.Error(t, Origins{bad}.Validate(), bad)
	}
	_, err := Origins{"https://router.example.com"}.Check("HTTPS://Router.Example.COM/" + strings.Repeat("x", 10))
	assert.NoError(t, err, "letter case does not matter")
}

func TestOrigins_ADefaultPortMayBeLeftOut(t *testing.T) {
	for _, c := range []struct {
		allowed, address string
		want             bool
	}{
		{"https://router.example.com", "https://router.example.com:443/callback", true},
		{"https://router.example.com:443", "https://router.example.com/callback", true},
		{"http://router", "HTTP://router:80/callback", true},
		{"http://[::1]:80", "http://[::1]/callback", true},
		{"https://router.example.com", "https://router.example.com:80/callback", false},
		{"https://router.example.com", "http://router.example.com:443/callback", false},
		{"http://router:8080", "http://router/callback", false},
		{"http://[::1]", "http://[::1:80]/callback", false},
	} {
		_, err := Origins{c.allowed}.Check(c.address)
		assert.Equal(t, c.want, err == nil, "%s at %s", c.address, c.allowed)
	}
}
