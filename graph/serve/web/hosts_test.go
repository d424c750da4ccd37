package web_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/serve/web"
)

// ask sends a request as it stands, which a client of Go's would not, and gives its status.
func ask(t *testing.T, address, request string) int {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer connection.Close()
	_, err = connection.Write([]byte(request))
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	return response.StatusCode
}

func TestHosts(t *testing.T) {
	served := func(hosts web.Hosts) string {
		server := httptest.NewServer(hosts.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })))
		t.Cleanup(server.Close)
		return server.Listener.Addr().String()
	}
	local, named, any := served(nil), served(web.Hosts{"captions.example.com", "Other.Example."}), served(web.Hosts{"*"})
	const yes, no = http.StatusNoContent, http.StatusMisdirectedRequest
	for _, c := range []struct {
		host         string
		local, named int
	}{
		{"localhost", yes, yes},
		{"localhost:8080", yes, yes},
		{"LocalHost.:8080", yes, yes},
		{"127.0.0.1:8080", yes, yes},
		{"10.1.2.3", yes, yes},
		{"[::1]", yes, yes},
		{"[::1]:8080", yes, yes},
		{"[2001:db8::1]:443", yes, yes},
		{"", yes, yes},
		{"captions.example.com", no, yes},
		{"captions.example.com:443", no, yes},
		{"Captions.EXAMPLE.com.", no, yes},
		{"other.example.:8080", no, yes},
		{"evil.example", no, no},
		{"evil.example:8080", no, no},
		{"captions.example.com.evil.example", no, no},
		{"evil-captions.example.com", no, no},
		{"www.captions.example.com", no, no},
		{"localhost.evil.example", no, no},
		{"127.0.0.1.evil.example", no, no},
		{"127.0.0.1.nip.io:8080", no, no},
		{"[::1].evil.example", no, no},
		{"[evil.example]", no, no},
		{"2130706433", no, no}, // a browser writes 127.0.0.1 for it
		{".", no, no},
	} {
		request := fmt.Sprintf("GET / HTTP/1.1\r\nHost: %s\r\n\r\n", c.host)
		assert.Equal(t, c.local, ask(t, local, request), "%q where no name is allowed", c.host)
		assert.Equal(t, c.named, ask(t, named, request), "%q where names are", c.host)
		assert.Equal(t, yes, ask(t, any, request), "%q where any is", c.host)
	}
	for request, want := range map[string]int{
		"GET / HTTP/1.0\r\n\r\n":                                                      yes,
		"GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n":                                no,
		"GET / HTTP/1.1\r\n\r\n":                                                      http.StatusBadRequest,
		"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n":             http.StatusBadRequest,
		"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n":                no,
		"GET / HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost\r\n\r\n": no,
	} {
		assert.Equal(t, want, ask(t, local, request), request)
	}
}

func TestHosts_AreNames(t *testing.T) {
	for _, good := range []string{"captions.example.com", "captions.example.com.", "localhost", "jobgraph", "job_graph-1.internal", "xn--bcher-kva.example", "10.0.0.1", "*"} {
		assert.NoError(t, web.Hosts{good}.Validate(), good)
	}
	for _, bad := range []string{"", "https://captions.example.com", "captions.example.com:8080", "captions.example.com/", "*.example.com", "bücher.example", "a b", ".", "-a.example"} {
		assert.Error(t, web.Hosts{"localhost", bad}.Validate(), bad)
	}
}
