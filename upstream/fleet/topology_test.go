package fleet_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream"
	"jobgraph/upstream/fleet"
	"jobgraph/upstream/fleet/redistest"
	"jobgraph/upstream/fleet/tier"
	"jobgraph/upstream/poll"
)

// sharing waits until a value that one instance puts in Redis is found by the other.
func sharing(t *testing.T, one, other *fleet.Fleet) {
	t.Helper()
	require.Eventually(t, func() bool {
		hash := rand.Text()
		one.Documents().Register(hash, "a document")
		for range 20 {
			if text, ok := other.Documents().Find(t.Context(), hash); ok {
				return assert.Equal(t, "a document", text)
			}
			time.Sleep(time.Millisecond)
		}
		return false
	}, eventually, time.Millisecond)
}

// watchingTogether has two instances watch a job: what one polls the other hears.
func watchingTogether(t *testing.T, server *redistest.Server) {
	t.Helper()
	api := newJobs()
	opts := poll.Options{Interval: often, MaxInterval: often}
	one, other := newInstance(t, server, api, opts), newInstance(t, server, api, opts)
	first := watch(t, one, token, "01")
	first.hears(t, 0)
	second := watch(t, other, token, "01")
	second.hears(t, 0)
	version := 0
	require.Eventually(t, func() bool {
		version++
		api.change(token, "01")
		first.hears(t, version)
		second.hears(t, version)
		return one.poller.FleetStats().Received+other.poller.FleetStats().Received > 0
	}, eventually, time.Millisecond)
	first.stop() // it gives the lease up
	require.Eventually(t, func() bool { return other.poller.FleetStats().Leases == 1 }, eventually, time.Millisecond)
}

// oneJob is a job API that may refuse the token.
type oneJob struct{ refuses atomic.Bool }

func (j *oneJob) Job(_ context.Context, r upstream.Request) (*upstream.EncodedJob, error) {
	if j.refuses.Load() {
		return nil, &upstream.Error{Type: upstream.BadAPIToken}
	}
	return upstream.Job{ID: r.Key.ID, Status: upstream.StatusPending}.Encode(), nil
}

func (j *oneJob) List(context.Context, upstream.ListRequest) (*upstream.List, error) {
	return &upstream.List{}, nil
}

// looksUp has all done that a second tier does: look up, share, refuse.
func looksUp(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	api, hits, heard := &oneJob{}, atomic.Int64{}, atomic.Int64{}
	second := tier.New(api, f, tier.Options{ActiveTTL: time.Minute, SettledTTL: time.Minute,
		Forget: func(upstream.TokenKey) { heard.Add(1) },
		ObserveLookup: func(outcome string) {
			if outcome == "HIT" {
				hits.Add(1)
			}
		}})
	require.Eventually(t, func() bool {
		_, err := second.Job(t.Context(), upstream.NewRequest(token, "01"))
		return assert.NoError(t, err) && hits.Load() > 0
	}, eventually, time.Millisecond)
	api.refuses.Store(true)
	r := upstream.NewRequest(token, "01")
	r.Fresh = true
	_, err := second.Job(t.Context(), r)
	require.Error(t, err)
	assert.Positive(t, heard.Load())
}

// An ACL user who may do what FLEET.md lists, and no more, over TLS.
func TestFleet_TLSAndAnACLUser(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only on Linux SSL_CERT_FILE names the roots")
	}
	file, key := redistest.Certificate(t)
	t.Setenv("SSL_CERT_FILE", file)
	address, port := redistest.FreeAddress(t)
	server := redistest.Start(t, "--tls-port", port, "--tls-cert-file", file, "--tls-key-file", key, "--tls-ca-cert-file", file, "--tls-auth-clients", "no")
	page, err := os.ReadFile("../../graph/FLEET.md")
	require.NoError(t, err)
	listed := regexp.MustCompile("an ACL with `(~[^`]+)` and `(\\+[^`]+)`").FindStringSubmatch(string(page))
	require.NotNil(t, listed, "the page says what the user needs")
	may := strings.Fields(listed[1] + " -@all " + listed[2])
	require.NoError(t, server.Do(append([]string{"ACL", "SETUSER", "fleet", "on", ">" + redistest.Password}, may...)...).Error())
	secure := *server
	secure.Address, secure.URL = address, "rediss://fleet:"+redistest.Password+"@"+address
	counts := &counter{}
	f := open(t, fleet.Options{URL: secure.URL, Observer: counts, MaxWait: eventually})
	available(t, f)
	sharing(t, f, f)
	watchingTogether(t, &secure)
	looksUp(t, f)
	assert.Zero(t, counts.of("ERROR"))
	denied, err := server.Do("ACL", "LOG").ToArray()
	require.NoError(t, err)
	assert.Empty(t, denied, "nothing that the page does not list is needed")

	wrong := open(t, fleet.Options{URL: strings.Replace(secure.URL, "127.0.0.1", "localhost", 1)})
	time.Sleep(100 * time.Millisecond)
	assert.False(t, wrong.Available(), "the certificate is another host's")
}

// The master dies, and its replica takes over.
func TestFleet_SentinelFailover(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t, "--repl-diskless-sync-delay", "0")
	host, port, _ := net.SplitHostPort(master.Address)
	replica := redistest.Start(t, "--replicaof", host+" "+port, "--masterauth", redistest.Password)
	linked := func() bool {
		info, err := replica.Do("INFO", "replication").ToString()
		return err == nil && strings.Contains(info, "master_link_status:up")
	}
	require.Eventually(t, linked, eventually, 10*time.Millisecond)
	sentinel := redistest.StartSentinel(t, "the-set", master)
	url := fmt.Sprintf("redis://:%s@%s?master_set=the-set", redistest.Password, sentinel)
	one, other := open(t, fleet.Options{URL: url}), open(t, fleet.Options{URL: url})
	available(t, one)
	available(t, other)
	sharing(t, one, other)
	master.Kill()
	before := len(replica.Keys())
	sharing(t, one, other)
	assert.Greater(t, len(replica.Keys()), before)
}

// Keys, scripts and channels of a cluster of three nodes.
func TestFleet_ClusterAddresses(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, 3)
	server := *nodes[0]
	server.URL += "?addr=" + nodes[1].Address + "&addr=" + nodes[2].Address
	one, other := open(t, fleet.Options{URL: server.URL}), open(t, fleet.Options{URL: server.URL})
	available(t, one)
	available(t, other)
	for range 20 {
		sharing(t, one, other)
	}
	for _, node := range nodes {
		assert.NotEmpty(t, node.Keys(), "each has its part")
	}
	watchingTogether(t, &server)
	looksUp(t, one)
}
