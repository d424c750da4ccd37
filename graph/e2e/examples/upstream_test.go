package examples_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobgraph/upstream/sandbox"
)

const (
	// The tokens of the gateways' callers; none is served what another's brought.
	apolloCanary = "0c0ffee0c0ffee0c0ffee0c0ffee0a11"
	hiveCanary   = "0c0ffee0c0ffee0c0ffee0c0ffee0b22"
	// missingJob does not exist; refusedJob does, but not for this caller.
	missingJob = "00000000000000000000000000000000"
	refusedJob = "50000000000000000000000000000001"
	// A job that starts so is the sandbox's in_process job with an id and a name of its own.
	copyPrefix = "4000000000000000000000000000"
	copied     = "10000000000000000000000000000003"
	copiedName = "lecture_03_optics"
)

// counted is the sandbox behind a proxy that counts: jobs by id, and the tokens it was sent.
type counted struct {
	*httptest.Server
	// passed is how much time has passed for the sandbox's moving jobs.
	passed atomic.Int64
	mutex  sync.Mutex
	calls  map[string]int
	tokens map[string]int
}

func newCounted(t *testing.T) *counted {
	t.Helper()
	c := &counted{}
	c.reset()
	begin := time.Now()
	now := func() time.Time { return begin.Add(time.Duration(c.passed.Load())) }
	c.Server = httptest.NewServer(c.handler(sandbox.New(sandbox.Options{Now: now})))
	t.Cleanup(c.Close)
	return c
}

func (c *counted) reset() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.calls, c.tokens = map[string]int{}, map[string]int{}
}

func (c *counted) handler(jobs http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		id, token := query.Get("job_id"), query.Get("api_token")
		c.mutex.Lock()
		c.calls[id]++
		c.tokens[token]++
		c.mutex.Unlock()
		if id == refusedJob {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"ErrorType": "ACCOUNT_UNPRIVILEGED", "ErrorComment": "Not for this account."}`)
			return
		}
		asked := id
		if strings.HasPrefix(id, copyPrefix) {
			asked = copied
		}
		answer := httptest.NewRecorder()
		r.URL.RawQuery = url.Values{"v": {query.Get("v")}, "api_token": {sandbox.Token}, "job_id": {asked}}.Encode()
		jobs.ServeHTTP(answer, r)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(answer.Code)
		own := strings.NewReplacer(copied, id, copiedName, nameOf(id))
		_, _ = own.WriteString(w, answer.Body.String())
	})
}

// nameOf is the name of a job at this upstream, where the sandbox's file does not have its own.
func nameOf(id string) string {
	if id == copied {
		return copiedName
	}
	return "job_" + id
}
