package guard_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/program"
)

// While every attack of the table comes in turn, over four connections, other
// people's queries are answered. How fast is shown by -v.
func TestAttacksDisturbNobody(t *testing.T) {
	upstream, _ := recordingUpstream(t)
	p := program.Start(t, "--upstream-url="+upstream, "--upstream-token=aa")
	var attackers sync.WaitGroup
	for range 4 {
		attackers.Go(func() {
			for _, attack := range attacks() {
				response, err := http.DefaultTransport.RoundTrip(attack.request(p.URL))
				if assert.NoError(t, err, attack.name) {
					_, _ = io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
			}
		})
	}
	over := make(chan struct{})
	go func() {
		attackers.Wait()
		close(over)
	}()
	var took []time.Duration
	for attacked := true; attacked; {
		start := time.Now()
		answer := do(t, query(`{ job(ids: ["aa"]) { __typename } }`)(p.URL))
		took = append(took, time.Since(start))
		require.Equal(t, 200, answer.status, "%s", answer.body)
		select {
		case <-over:
			attacked = false
		default:
		}
	}
	slices.Sort(took)
	t.Logf("%d queries under attack: median %v, 99 %% in %v", len(took), took[len(took)/2], took[len(took)*99/100])
}

// An answer holds at most 10 errors of at most 512 bytes, and says how many it left out.
func TestErrorsOfAnAnswerAreBounded(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"ErrorType": "INVALID_QUERY", "ErrorComment": "` + strings.Repeat("ü", 2000) + `"}`))
	}))
	t.Cleanup(upstream.Close)
	p := program.Start(t, "--upstream-url="+upstream.URL, "--upstream-token=aa")
	var representations []string
	for i := range 25 {
		representations = append(representations, fmt.Sprintf(`{"__typename": "Job", "id": "%02x"}`, i))
	}
	answer := do(t, query("query ($r: [_Any!]!) { _entities(representations: $r) { __typename } }",
		`{"r": [`+strings.Join(representations, ",")+`]}`)(p.URL))
	require.Len(t, answer.errors, 10, "%s", answer.body)
	assert.EqualValues(t, 15, answer.errors[9].Extensions["moreErrors"])
	for _, err := range answer.errors {
		assert.LessOrEqual(t, len(err.Message), 512)
		assert.Equal(t, "INVALID_QUERY", err.Extensions["code"])
	}
}
