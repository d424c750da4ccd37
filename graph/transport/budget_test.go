package transport_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/budget"
	"jobgraph/graph/transport"
)

const answerSize = 128 << 10

// fromBudget takes what an answer has, as the executor does.
func fromBudget(b *budget.Budget) func(ctx context.Context, query string) *graphql.Response {
	return func(ctx context.Context, _ string) *graphql.Response {
		if err := budget.HoldFrom(ctx).Open(b).Reserve(answerSize); err != nil {
			return b.Refused(err)
		}
		return data(`"` + strings.Repeat("x", answerSize-2) + `"`)
	}
}

// An answer counts until its last byte has been written; who comes meanwhile has the
// operation's error.
func TestBudget_AnswersCountUntilTheyAreWritten(t *testing.T) {
	const refused = `"code":"OVERLOADED"`
	for name, read := range map[string]func(t *testing.T, r *room){
		"a WebSocket": func(t *testing.T, r *room) {
			p := r.open(alice)
			p.send(subscribe("a", "query"))
			synctest.Wait()
			_, events := r.stream("query")
			text, err := io.ReadAll(events)
			require.NoError(t, err)
			assert.Contains(t, string(text), refused)
			assert.Len(t, p.receive(), answerSize+len(`{"id":"a","type":"next","payload":{"data":}}`))
			assert.Equal(t, `{"id":"a","type":"complete"}`, p.receive())
		},
		"an event stream": func(t *testing.T, r *room) {
			_, events := r.stream("query")
			synctest.Wait()
			p := r.open(alice)
			p.send(subscribe("a", "query"))
			assert.Contains(t, p.receive(), refused)
			assert.Equal(t, `{"id":"a","type":"complete"}`, p.receive())
			_, err := io.Copy(io.Discard, events)
			require.NoError(t, err)
		},
		"a WebSocket whose client has completed it": func(t *testing.T, r *room) {
			p := r.open(alice)
			p.send(subscribe("a", "query"))
			synctest.Wait()
			p.send(complete("a"))
			synctest.Wait()
			_, events := r.stream("query")
			text, err := io.ReadAll(events)
			require.NoError(t, err)
			assert.Contains(t, string(text), refused, "it was begun, and is sent whole")
			p.receive()
		},
		"a WebSocket that is cut off": func(t *testing.T, r *room) {
			r.open(alice).send(subscribe("a", "query"))
			time.Sleep(10 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := budget.New(answerSize+answerSize/2, answerSize)
			inRoom(t, transport.ConnectionOptions{}, fromBudget(b), func(t *testing.T, r *room) {
				read(t, r)
				synctest.Wait()
				assert.Zero(t, b.InUse())
			})
		})
	}
}
