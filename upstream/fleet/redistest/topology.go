package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// StartSentinel starts one sentinel, whose own word is enough, for the master, and waits until it
// knows the master's replica. It ends with the test.
func StartSentinel(t testing.TB, set string, master *Server) (address string) {
	t.Helper()
	address, port := FreeAddress(t)
	host, masterPort, _ := net.SplitHostPort(master.Address)
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	config := fmt.Sprintf(`port %[1]s
bind 127.0.0.1
dir %[2]s
sentinel monitor %[3]s %[4]s %[5]s 1
sentinel auth-pass %[3]s %[6]s
sentinel down-after-milliseconds %[3]s 200
sentinel failover-timeout %[3]s 2000
`, port, filepath.Dir(file), set, host, masterPort, Password)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Server{Address: address, URL: "redis://" + address, t: t, path: master.path, args: []string{file, "--sentinel"}}
	s.Restart()
	t.Cleanup(s.Kill)
	s.until("knows the replica", func() bool {
		known, err := s.Do("SENTINEL", "REPLICAS", set).ToArray()
		return err == nil && len(known) > 0
	})
	return address
}

// StartCluster starts a cluster of so many masters, among which all slots are divided.
func StartCluster(t testing.TB, masters int) (nodes []*Server) {
	t.Helper()
	const slots = 16384
	var firstBus string
	for n := range masters {
		_, bus := FreeAddress(t) // the usual one is too high for most ports
		node := Start(t, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "2000")
		node.must("CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(n*slots/masters), fmt.Sprint((n+1)*slots/masters-1))
		node.must("CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(n+1))
		if n == 0 {
			firstBus = bus
		} else {
			host, port, _ := net.SplitHostPort(nodes[0].Address)
			node.must("CLUSTER", "MEET", host, port, firstBus)
		}
		nodes = append(nodes, node)
	}
	for _, node := range nodes {
		node.until("is one of the cluster", func() bool {
			info, err := node.Do("CLUSTER", "INFO").ToString()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_size:%d", masters))
		})
	}
	return nodes
}

// must runs a command that does not fail.
func (s *Server) must(words ...string) {
	s.t.Helper()
	if err := s.Do(words...).Error(); err != nil {
		s.t.Fatal(words, err)
	}
}

func (s *Server) until(what string, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(timeout); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatal("redis-server never " + what)
		}
	}
}
