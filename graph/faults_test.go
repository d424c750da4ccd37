package graph_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/upstream"
	"jobgraph/upstream/faults"
)

const badID = "bad"

var (
	fiveGood = []string{"a1", "a2", "a3", "a4", "a5"}
	oneBad   = []string{"a1", "a2", badID, "a3", "a4", "a5"}
	timeouts = upstream.Options{Timeout: 6 * time.Second, AttemptTimeout: 2 * time.Second}
)

// TestFaults_Matrix has one job fail among five good ones, in every way.
func TestFaults_Matrix(t *testing.T) {
	var strayed []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		strayed = append(strayed, r.URL.Path)
	}))
	t.Run("faults", func(t *testing.T) {
		for _, fault := range faults.All(elsewhere.URL) {
			t.Run(fault.Name, func(t *testing.T) {
				t.Parallel()
				oneBadJob(t, fault)
			})
		}
	})
	elsewhere.Close()
	assert.Empty(t, strayed, "a redirect was followed")
}

func oneBadJob(t *testing.T, fault *faults.Fault) {
	server, err := faults.NewServer(func(id string) *faults.Fault {
		if id == badID {
			return fault
		}
		return nil
	})
	require.NoError(t, err)
	defer server.Close()
	opts := upstream.Options{Timeout: time.Minute, AttemptTimeout: 20 * time.Second}
	if fault.Slow {
		opts = timeouts
	}
	client := newClient(t, server.URL(), opts)
	endpoint := newEndpoint(t, client)

	allServed(t, endpoint.jobs(t, append(slices.Clone(fiveGood), "a6")...)) // now there are six connections to reuse
	expect(t, fault.Want, endpoint.jobs(t, oneBad...))
	server.Heal()
	allServed(t, endpoint.jobs(t, oneBad...)) // nothing bad is remembered
	client.Close()
	assert.Eventually(t, func() bool { return server.Open() == 0 }, 10*time.Second, time.Millisecond, "connections are left")
}

// expect wants the five good jobs, and the bad one's type; "" is the job itself.
func expect(t *testing.T, want string, results []result) {
	t.Helper()
	bad := results[2]
	allServed(t, slices.Delete(slices.Clone(results), 2, 3))
	if want == "" {
		assert.Equal(t, "Job", bad.Typename, bad)
		return
	}
	assert.Equal(t, want, bad.Type, bad)
	assert.Equal(t, badID, bad.JobID)
	assert.Equal(t, strings.HasPrefix(want, "UPSTREAM_"), bad.Retryable, "retryable")
	assert.NotEmpty(t, bad.Comment)
	assert.NotContains(t, bad.Comment, canary[:8])
}

func allServed(t *testing.T, results []result) {
	t.Helper()
	for _, r := range results {
		assert.Equal(t, "Job", r.Typename, r)
	}
}

// byID asks one source for the bad job and another for the rest: what fails
// before a request is sent cannot fail for one job of a host.
type byID struct{ good, bad upstream.Source }

func (s byID) Job(ctx context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	if r.Key.ID == badID {
		return s.bad.Job(ctx, r)
	}
	return s.good.Job(ctx, r)
}

// TestFaults_Unreachable has no connection for one job.
func TestFaults_Unreachable(t *testing.T) {
	good, err := faults.NewServer(func(string) *faults.Fault { return nil })
	require.NoError(t, err)
	defer good.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	gone.Close()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = quiet
	untrusted.StartTLS()
	defer untrusted.Close()

	for name, url := range map[string]string{
		"refused":               "http://" + gone.Addr().String(),
		"no such name":          "http://job-api.invalid",
		"untrusted by TLS":      untrusted.URL,
		"TLS to a plain server": strings.Replace(good.URL(), "http:", "https:", 1),
	} {
		t.Run(name, func(t *testing.T) {
			source := byID{newClient(t, good.URL(), timeouts), newClient(t, url, timeouts)}
			expect(t, "UPSTREAM_UNAVAILABLE", newEndpoint(t, source).jobs(t, oneBad...))
		})
	}
}

// TestFaults_References has a gateway's references fail the same way.
func TestFaults_References(t *testing.T) {
	server, err := faults.NewServer(func(id string) *faults.Fault {
		if id == badID {
			return faults.RateLimit("7")
		}
		return nil
	})
	require.NoError(t, err)
	defer server.Close()
	endpoint := newEndpoint(t, newClient(t, server.URL(), timeouts))
	answer := gqltest.Query(t, endpoint.url, `query($of: [_Any!]!) { _entities(representations: $of) { ... on Job { id } } }`,
		map[string]any{"of": []map[string]string{{"__typename": "Job", "id": badID}}}, "Authorization", "Bearer "+canary)
	errs := answer.Errors()
	require.Len(t, errs, 1)
	assert.Equal(t, []any{"_entities", 0.0}, errs[0].Path)
	assert.Equal(t, map[string]any{"code": "UPSTREAM_RATE_LIMITED", "retryable": true, "retryAfterSeconds": 7.0}, errs[0].Extensions)
	assert.JSONEq(t, `{"_entities": [null]}`, answer.Data())
}
