package program_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/sandbox"
)

// issuer is an identity provider, and how often its keys were asked for.
type issuer struct {
	*httptest.Server
	oidc *oidctest.Server
	keys atomic.Int64
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{oidc: &oidctest.Server{Algorithms: []string{oidc.RS256, oidc.ES256}}}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			i.keys.Add(1)
		}
		i.oidc.ServeHTTP(w, r)
	}))
	t.Cleanup(i.Close)
	i.oidc.SetIssuer(i.URL)
	return i
}

type claimSet map[string]any

func (i *issuer) sign(key crypto.PrivateKey, id, algorithm string, changes claimSet) string {
	claims := claimSet{"iss": i.URL, "aud": "captions", "sub": "somebody", "tenant": "acme", "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range changes {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	text, _ := json.Marshal(claims)
	return oidctest.SignIDToken(key, id, algorithm, string(text))
}

// identityProgram is the program with two tenants, the sandbox behind it and the issuer.
func identityProgram(t *testing.T, args ...string) (p *program.Program, i *issuer, api *loginAPI, key *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	i = newIssuer(t)
	i.oidc.PublicKeys = []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "one", Algorithm: oidc.RS256}}
	api = newLoginAPI(t, time.Hour, map[string]sandbox.Account{"acme_api": {SecureKey: "canary-acme-key"}, "news_api": {Password: "canary-news-password"}})
	folder := t.TempDir()
	for name, content := range map[string]string{"acme.key": "canary-acme-key\n", "news.password": "canary-news-password\n",
		"tenants.json": `{"claim": "tenant", "tenants": {
			"acme": {"username": "acme_api", "securekeyFile": "acme.key"},
			"news": {"username": "news_api", "passwordFile": "news.password"}}}`} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600))
	}
	p = program.Start(t, append([]string{"--upstream-url", api.URL, "--oidc-issuer", i.URL, "--oidc-audience", "captions",
		"--tenants", filepath.Join(folder, "tenants.json"), "--log-level", "debug"}, args...)...)
	require.Eventually(t, func() bool {
		return gqltest.Post(t, p.URL+"/graphql", askDocumented, "Authorization", "Bearer "+i.sign(key, "one", oidc.RS256, nil)).Status == http.StatusOK
	}, program.Timeout, 20*time.Millisecond)
	return p, i, api, key
}

func TestIdentity_ACallersTokenChoosesTheAccount(t *testing.T) {
	p, i, api, key := identityProgram(t)
	post := func(token string) gqltest.Answer {
		return gqltest.Post(t, p.URL+"/graphql", askDocumented, "Authorization", "Bearer "+token)
	}
	assert.EqualValues(t, 1, api.logins.Load(), "an account logs in when it is asked for first")
	assert.JSONEq(t, answerDocumented, post(i.sign(key, "one", oidc.RS256, nil)).Body)
	assert.JSONEq(t, answerDocumented, post(i.sign(key, "one", oidc.RS256, claimSet{"tenant": "news"})).Body)
	assert.JSONEq(t, answerDocumented, post(i.sign(key, "one", oidc.RS256, claimSet{"tenant": []string{"other", "news"}})).Body)
	assert.EqualValues(t, 2, api.logins.Load(), "each tenant has a login of its own")
	api.mu.Lock()
	tokens := map[string]bool{}
	for _, query := range api.queries {
		if values, _ := url.ParseQuery(query); values.Has("job_id") {
			tokens[values.Get("api_token")] = true
		}
	}
	api.mu.Unlock()
	assert.Len(t, tokens, 2, "and a cache: the same job was fetched for both")

	// A provider rotates its keys.
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	i.oidc.PublicKeys = append(i.oidc.PublicKeys, oidctest.PublicKey{PublicKey: elliptic.Public(), KeyID: "two", Algorithm: oidc.ES256})
	assert.JSONEq(t, answerDocumented, post(i.sign(elliptic, "two", oidc.ES256, nil)).Body)
	assert.JSONEq(t, answerDocumented, post(i.sign(key, "one", oidc.RS256, claimSet{"sub": "another"})).Body)

	// None of these is let in, nor asks the job API.
	strange, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	good := strings.Split(i.sign(key, "one", oidc.RS256, nil), ".")
	api.mu.Lock()
	before := len(api.queries)
	api.mu.Unlock()
	for name, token := range map[string]string{
		"another's key":      i.sign(strange, "one", oidc.RS256, nil),
		"another algorithm":  i.sign(key, "one", oidc.PS256, nil),
		"none":               header + "." + good[1] + ".",
		"none, signed":       header + "." + good[1] + "." + good[2],
		"expired":            i.sign(key, "one", oidc.RS256, claimSet{"exp": time.Now().Add(-31 * time.Second).Unix()}),
		"no end":             i.sign(key, "one", oidc.RS256, claimSet{"exp": nil}),
		"early":              i.sign(key, "one", oidc.RS256, claimSet{"nbf": time.Now().Add(time.Minute).Unix()}),
		"early by far":       i.sign(key, "one", oidc.RS256, claimSet{"nbf": 1e30}),
		"for another":        i.sign(key, "one", oidc.RS256, claimSet{"aud": "others"}),
		"of another":         i.sign(key, "one", oidc.RS256, claimSet{"iss": "https://login.example.com"}),
		"of no tenant":       i.sign(key, "one", oidc.RS256, claimSet{"tenant": "unknown"}),
		"of two tenants":     i.sign(key, "one", oidc.RS256, claimSet{"tenant": []string{"acme", "news"}}),
		"without the claim":  i.sign(key, "one", oidc.RS256, claimSet{"tenant": nil}),
		"the job API's":      sandbox.Token,
		"too long":           good[0] + "." + strings.Repeat("A", 9000) + "." + good[2],
		"changed":            good[0] + "." + good[1] + "A." + good[2],
		"of an unknown key":  i.sign(strange, "three", oidc.RS256, nil),
		"of an unknown key2": i.sign(strange, "four", oidc.RS256, nil),
	} {
		answer := post(token)
		assert.Equal(t, http.StatusUnauthorized, answer.Status, name)
		assert.Equal(t, "UNAUTHENTICATED", answer.Code(), name)
		assert.Equal(t, "Bearer", answer.Header.Get("WWW-Authenticate"), name)
		assert.Equal(t, "private, no-store", answer.Header.Get("Cache-Control"), name)
	}
	for _, lines := range [][]string{nil, {"Authorization", "Basic YTpi"}, {"Authorization", "Bearer "}} {
		answer := gqltest.Post(t, p.URL+"/graphql", askDocumented, lines...)
		assert.Equal(t, http.StatusUnauthorized, answer.Status)
		assert.Equal(t, "UNAUTHENTICATED", answer.Code())
	}
	for range 200 { // keys that nobody knows
		post(i.sign(elliptic, fmt.Sprintf("key %d", time.Now().UnixNano()), oidc.ES256, nil))
	}
	assert.LessOrEqual(t, i.keys.Load(), int64(10), "they have the provider asked seldom")
	api.mu.Lock()
	assert.Len(t, api.queries, before, "the job API is not asked")
	api.mu.Unlock()
	assert.Contains(t, p.Metrics(t), `outcome="UNAUTHENTICATED"`)

	require.NoError(t, p.Stop())
	for _, canary := range []string{"canary", "acme_api", "eyJ"} {
		assert.NotContains(t, p.Log(), canary)
	}
}

func TestIdentity_ClocksMayBeApart(t *testing.T) {
	p, i, _, key := identityProgram(t)
	for _, changes := range []claimSet{{"exp": time.Now().Add(-20 * time.Second).Unix()}, {"nbf": time.Now().Add(20 * time.Second).Unix()}} {
		answer := gqltest.Post(t, p.URL+"/graphql", askDocumented, "Authorization", "Bearer "+i.sign(key, "one", oidc.RS256, changes))
		assert.Equal(t, http.StatusOK, answer.Status, "%v", changes)
	}
}

func TestIdentity_ASubscriptionEndsWithItsToken(t *testing.T) {
	t.Parallel()
	p, i, _, key := identityProgram(t, "--oidc-leeway", "0s")
	const subscribe = `subscription { jobUpdated(ids: "30000000000000000000000000000003") { __typename } }`
	token := func() string {
		return "Bearer " + i.sign(key, "one", oidc.RS256, claimSet{"exp": time.Now().Add(2 * time.Second).Unix()})
	}
	ctx, cancel := context.WithTimeout(t.Context(), program.Timeout)
	defer cancel()

	stream := gqltest.Open(t, gqltest.Request(t, http.MethodGet, p.URL+"/graphql?query="+url.QueryEscape(subscribe), "",
		"Accept", "text/event-stream", "Authorization", token()).WithContext(ctx))
	events, err := io.ReadAll(stream.Body)
	assert.NoError(t, err)
	assert.Contains(t, string(events), `"Job"`)
	assert.Contains(t, string(events), "event: complete")

	dial := func(payload string) *websocket.Conn {
		conn, _, err := websocket.Dial(ctx, p.URL+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.CloseNow() })
		require.NoError(t, conn.Write(ctx, websocket.MessageText, []byte(`{"type": "connection_init", "payload": `+payload+`}`)))
		return conn
	}
	conn := dial(`{"Authorization": "` + token() + `"}`)
	require.NoError(t, wsjson.Write(ctx, conn, map[string]any{"id": "1", "type": "subscribe", "payload": map[string]string{"query": subscribe}}))
	var types []string
	for {
		var message struct{ Type string }
		if err = wsjson.Read(ctx, conn, &message); err != nil {
			break
		}
		types = append(types, message.Type)
	}
	assert.Equal(t, []string{"connection_ack", "next"}, types)
	assert.Equal(t, websocket.StatusCode(4403), websocket.CloseStatus(err))

	for _, payload := range []string{`{}`, `null`, `{"Authorization": "Bearer ` + sandbox.Token + `"}`} {
		conn := dial(payload)
		_, _, err := conn.Read(ctx)
		assert.Equal(t, websocket.StatusCode(4403), websocket.CloseStatus(err), payload)
	}
}

func TestIdentity_AProviderThatIsDownAtStart(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	i := newIssuer(t)
	i.oidc.PublicKeys = []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "one", Algorithm: oidc.RS256}}
	var down atomic.Bool
	down.Store(true)
	real := i.Config.Handler
	i.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		real.ServeHTTP(w, r)
	})
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "key"), []byte(sandbox.SecureKey), 0o600))
	file := filepath.Join(folder, "tenants.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"claim": "tenant", "tenants": {"acme": {"username": "john_doe", "securekeyFile": "key"}}}`), 0o600))
	p := program.Start(t, "--oidc-issuer", i.URL, "--oidc-audience", "captions", "--tenants", file)
	post := func(tenant string) gqltest.Answer {
		return gqltest.Post(t, p.URL+"/graphql", askDocumented, "Authorization", "Bearer "+i.sign(key, "one", oidc.RS256, claimSet{"tenant": tenant}))
	}
	answer := post("acme")
	assert.Equal(t, http.StatusServiceUnavailable, answer.Status)
	assert.Equal(t, "1", answer.Header.Get("Retry-After"))
	assert.Equal(t, http.StatusUnauthorized, gqltest.Post(t, p.URL+"/graphql", askDocumented).Status, "the sandbox lends no token either")
	down.Store(false)
	require.Eventually(t, func() bool { return post("acme").Status == http.StatusOK }, program.Timeout, 50*time.Millisecond)

	// The tenants change while the program runs.
	assert.Equal(t, http.StatusUnauthorized, post("news").Status)
	require.NoError(t, os.WriteFile(file, []byte(`{"claim": "tenant", "tenants": {"news": {"username": "john_doe", "securekeyFile": "key"}}}`), 0o600))
	require.Eventually(t, func() bool { return post("news").Status == http.StatusOK }, program.Timeout, 50*time.Millisecond)
	assert.Equal(t, http.StatusUnauthorized, post("acme").Status)

	// A tenant's secret may come after it, and the file may be wrong meanwhile.
	said := func(text string) func() bool { return func() bool { return strings.Contains(p.Log(), text) } }
	late := `{"claim": "tenant", "tenants": {"late": {"username": "john_doe", "securekeyFile": "late"}}}`
	require.NoError(t, os.WriteFile(file, []byte(late+"}"), 0o600))
	require.Eventually(t, said("it must be JSON"), program.Timeout, 50*time.Millisecond)
	require.NoError(t, os.WriteFile(file, []byte(late), 0o600))
	require.Eventually(t, said("no such file"), program.Timeout, 50*time.Millisecond)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "late"), []byte(sandbox.SecureKey), 0o600))
	require.Eventually(t, func() bool { return post("late").Status == http.StatusOK }, program.Timeout, 50*time.Millisecond)
	require.NoError(t, os.Remove(file))
	require.Eventually(t, said("open "+file), program.Timeout, 50*time.Millisecond)
	assert.Equal(t, http.StatusOK, post("late").Status, "those before stay")
}

func TestIdentity_EachSubjectHasARate(t *testing.T) {
	p, i, _, key := identityProgram(t, "--rate", "0.02/10")
	status := func(subject string) int {
		return gqltest.Post(t, p.URL+"/graphql", askDocumented, "Authorization", "Bearer "+i.sign(key, "one", oidc.RS256, claimSet{"sub": subject})).Status
	}
	for range 10 {
		assert.Equal(t, http.StatusOK, status("noisy"))
	}
	assert.Equal(t, http.StatusTooManyRequests, status("noisy"), "with another token as well")
	assert.Equal(t, http.StatusOK, status("quiet"), "of the same tenant")
}

func TestIdentity_WrongSettingsAreSaidInOneLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tenants.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"claim": "tenant", "tenants": {"acme": {"username": "a"}}}`), 0o600))
	all := []string{"--oidc-issuer", "https://login.example.com", "--oidc-audience", "captions", "--tenants", file}
	for want, args := range map[string][]string{
		"need each other":             {"--oidc-issuer", "https://login.example.com"},
		"must be like https":          {"--oidc-issuer", "http://login.example.com", "--oidc-audience", "captions", "--tenants", file},
		"lets nobody in":              append([]string{"--upstream-token", "c0ffee"}, all...),
		"0s to 5m":                    append([]string{"--oidc-leeway", "1h"}, all...),
		`tenant "acme": it needs one`: all,
		"no such file":                append(all[:5:5], file+".none"),
		"burst behind a slash":        {"--rate", "many"},
	} {
		assert.Contains(t, program.Refuse(t, append([]string{"--listen", "127.0.0.1:0", "--admin-listen", ""}, args...)...), want)
	}
}

func TestRate_ANoisyCallerIsTold(t *testing.T) {
	p := program.Start(t, "--rate", "0.02/20")
	other := []string{"Authorization", "Bearer c0ffee1234abcdef5678"}
	refused := 0
	for range 100 {
		if answer := gqltest.Post(t, p.URL+"/graphql", askDocumented); answer.Status == http.StatusTooManyRequests {
			refused++
			assert.Equal(t, "RATE_LIMITED", answer.Code())
			assert.NotEmpty(t, answer.Header.Get("Retry-After"))
		}
	}
	assert.GreaterOrEqual(t, refused, 79)
	assert.Equal(t, http.StatusOK, gqltest.Post(t, p.URL+"/graphql", askDocumented, other...).Status, "another has a share of its own")
	assert.Equal(t, http.StatusTooManyRequests, gqltest.Get(t, p.URL+"/graphql?query={__typename}", "Accept", "text/event-stream").Status)
	assert.Contains(t, p.Metrics(t), `outcome="RATE_LIMITED"`)

	conn, _, err := websocket.Dial(t.Context(), p.URL+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	require.NoError(t, err)
	defer conn.CloseNow()
	require.NoError(t, conn.Write(t.Context(), websocket.MessageText, []byte(`{"type": "connection_init"}`)))
	_, _, err = conn.Read(t.Context())
	require.NoError(t, err)
	require.NoError(t, conn.Write(t.Context(), websocket.MessageText, []byte(`{"id": "1", "type": "subscribe", "payload": {"query": "{ __typename }"}}`)))
	_, text, err := conn.Read(t.Context())
	require.NoError(t, err)
	assert.Contains(t, string(text), "RATE_LIMITED")
}
