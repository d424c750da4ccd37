package identity

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph"
)

// A flood of tokens with unknown keys uses the fetches of keys up, and must not have others
// refused for it: not before there are keys, nor when the metadata was fetched anew.
func TestVerifier_AFloodOfUnknownKeysRefusesNobodyElse(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	provider := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "one", Algorithm: oidc.RS256}}}
	server := httptest.NewServer(provider)
	defer server.Close()
	provider.SetIssuer(server.URL)
	sign := func(subject string) string {
		return oidctest.SignIDToken(key, "one", oidc.RS256, fmt.Sprintf(`{"iss": %q, "aud": "captions", "sub": %q, "exp": %d}`,
			server.URL, subject, time.Now().Add(time.Hour).Unix()))
	}
	v := newVerifier(Options{Issuer: server.URL, Audience: "captions", Logger: slog.New(slog.DiscardHandler)})
	v.fetches.SetLimit(0)
	flood := func() {
		for v.fetches.Allow() {
		}
	}

	flood()
	require.NoError(t, v.discover(t.Context()), "the metadata is fetched all the same")
	_, err = v.verify(t.Context(), sign("first"))
	assert.ErrorIs(t, err, graph.ErrNoVerifier)

	v.fetches.SetBurst(fetchBurst + 1)
	v.fetches.SetLimit(1e9)
	_, err = v.verify(t.Context(), sign("first"))
	require.NoError(t, err)
	v.fetches.SetLimit(0)
	flood()
	require.NoError(t, v.discover(t.Context()))
	_, err = v.verify(t.Context(), sign("second"))
	assert.NoError(t, err, "the keys before are good until there are others")
}

func TestVerifier_KeysThatCannotBeFetchedAreLogged(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	provider := &oidctest.Server{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		provider.ServeHTTP(w, r)
	}))
	defer server.Close()
	provider.SetIssuer(server.URL)
	var log bytes.Buffer
	v := newVerifier(Options{Issuer: server.URL, Audience: "captions", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, v.discover(t.Context()))
	token := oidctest.SignIDToken(key, "one", oidc.RS256, fmt.Sprintf(`{"iss": %q, "aud": "captions", "exp": %d}`,
		server.URL, time.Now().Add(time.Hour).Unix()))
	for range 2 {
		_, err := v.verify(t.Context(), token)
		assert.ErrorIs(t, err, graph.ErrNoVerifier)
	}
	assert.Equal(t, 1, strings.Count(log.String(), "the keys of the identity provider cannot be fetched"), log.String())
}
