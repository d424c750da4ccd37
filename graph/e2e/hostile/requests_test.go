package hostile_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

// manyObjects is a body of 250 KB that takes fifty times as much once it is decoded.
func manyObjects() string {
	return `{"query": "{ __typename }", "variables": {"a": [` + strings.Repeat(`{"":1},`, 35_000) + `0]}}`
}

// TestHostileRequests_VariablesOfManyObjects is a client whose variables nobody asked for.
func TestHostileRequests_VariablesOfManyObjects(t *testing.T) {
	p := spawn(t)
	hostile(t, p, func(ctx context.Context) {
		var readers sync.WaitGroup
		for range 100 {
			readers.Go(func() {
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+"/graphql", strings.NewReader(manyObjects()))
				if !assert.NoError(t, err) {
					return
				}
				request.Header.Set("Content-Type", "application/json")
				response, err := http.DefaultClient.Do(request)
				if !assert.NoError(t, err) {
					return
				}
				defer response.Body.Close()
				assert.Contains(t, []int{http.StatusOK, http.StatusServiceUnavailable}, response.StatusCode)
				_, _ = io.Copy(io.Discard, response.Body)
			})
		}
		readers.Wait()
	})
	answer := gqltest.Post(t, p.URL+"/graphql", manyObjects())
	assert.Equal(t, http.StatusOK, answer.Status, "one by itself")
}

// TestHostileRequests_HeadsWithoutAnEnd is a client that sends the lines of a head, and never the
// empty one.
func TestHostileRequests_HeadsWithoutAnEnd(t *testing.T) {
	p := spawn(t)
	lines := strings.Repeat("a:\r\n", 4500)
	for name, text := range map[string]string{
		"alone":              "GET / HTTP/1.1\r\nHost: localhost\r\n" + lines,
		"behind a request":   post(p, `{"query": "{ __typename }"}`) + lines,
		"behind empty lines": post(p, `{"query": "{ __typename }"}`) + "\r\n\r\n" + lines,
	} {
		t.Run(name, func(t *testing.T) {
			hostileUpTo(t, p, 1000, func(ctx context.Context) { // each connection has one until it is cut
				for range 2000 {
					connection := deaf(ctx, t, p, text)
					if connection == nil {
						return
					}
					defer connection.Close()
				}
				program.Pause(ctx, 3*time.Second)
			})
		})
	}
}

// TestHostileRequests_PartsOfAssets is a client that asks for the head, or for one byte, of a large
// file of the playground, and takes no gzip.
func TestHostileRequests_PartsOfAssets(t *testing.T) {
	p := spawn(t)
	page := gqltest.Get(t, p.URL+"/").Body
	asset := regexp.MustCompile(`/assets/[^"]+\.js`).FindString(page)
	require.NotEmpty(t, asset, page)
	head := gqltest.Do(t, gqltest.Request(t, http.MethodHead, p.URL+asset, "", "Accept-Encoding", "identity"))
	require.Equal(t, http.StatusOK, head.Status)
	size, err := strconv.Atoi(head.Header.Get("Content-Length"))
	require.NoError(t, err)
	require.Greater(t, size, 1<<20, "it is no large file")
	const askers, each = 20, 100
	hostile(t, p, func(context.Context) {
		allocated := p.Metric(t, "go_memstats_alloc_bytes_total")
		var asking sync.WaitGroup
		for range askers {
			asking.Go(func() {
				for i := range each {
					method, status := http.MethodHead, http.StatusOK
					headers := []string{"Accept-Encoding", "identity"}
					if i%2 == 0 {
						method, status, headers = http.MethodGet, http.StatusPartialContent, append(headers, "Range", "bytes=7-7")
					}
					assert.Equal(t, status, gqltest.Do(t, gqltest.Request(t, method, p.URL+asset, "", headers...)).Status)
				}
			})
		}
		asking.Wait()
		// The observers' own questions are among it.
		allocated = (p.Metric(t, "go_memstats_alloc_bytes_total") - allocated) / (askers * each)
		t.Logf("%.0f bytes allocated for each", allocated)
		assert.Less(t, allocated, 64e3, "bytes allocated for each")
	})
}

// TestHostileRequests_TextsParsedAtOnce sends more texts than are parsed at the same time, each of
// which takes long. The profile of goroutines is not of one moment: it may have one that ends and
// the next one.
func TestHostileRequests_TextsParsedAtOnce(t *testing.T) {
	const texts, most = 50, 16
	p := spawn(t, "--max-tokens", "1000000", "--max-body-bytes", "2000000", "--max-directives", "1000000")
	var asking sync.WaitGroup
	answered := make(chan struct{})
	for i := range texts {
		asking.Go(func() {
			// Parsed, and refused for its name alone: nothing follows.
			query := fmt.Sprintf("{ %s%d", strings.Repeat("x", 200), i) + strings.Repeat(" @a", 130_000) + " }"
			answer := gqltest.Post(t, p.URL+"/graphql", `{"query": "`+query+`"}`)
			assert.Contains(t, answer.Body, "A name in the query has")
		})
	}
	go func() { asking.Wait(); close(answered) }()
	parsing, waiting := 0, 0
	for done := false; !done; {
		select {
		case <-answered:
			done = true
		default:
		}
		now, behind := textsBeingRead(t, p)
		parsing, waiting = max(parsing, now), max(waiting, behind)
	}
	t.Logf("%d texts were parsed at the same time, %d waited", parsing, waiting)
	assert.Less(t, parsing, most+most/2)
	assert.Greater(t, waiting, 0, "the test does not send enough at once")
}

// textsBeingRead counts the goroutines that parse or validate a text, and those that wait for it.
func textsBeingRead(t *testing.T, p *program.Program) (parsing, waiting int) {
	response, err := http.Get(p.AdminURL + "/debug/pprof/goroutine?debug=2")
	require.NoError(t, err)
	defer response.Body.Close()
	profile, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	for stack := range bytes.SplitSeq(profile, []byte("\n\n")) {
		switch head, frames, _ := bytes.Cut(stack, []byte("\n")); {
		case !bytes.Contains(frames, []byte("admission.(*Guard).read(")):
		case bytes.Contains(head, []byte("[select")) && bytes.HasPrefix(frames, []byte("jobgraph/graph/admission.(*Guard).read(")):
			waiting++
		default:
			parsing++
		}
	}
	return parsing, waiting
}
