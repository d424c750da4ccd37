package transport_test

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/transport"
)

// stream is an event stream's body, past the head.
func (r *room) stream(query string) (net.Conn, *bufio.Reader) {
	r.t.Helper()
	conn, answer := r.request(alice, "GET /graphql?query="+query+" HTTP/1.0\r\n%s\r\n") // without chunks
	for line := ""; line != "\r\n"; {
		var err error
		line, err = answer.ReadString('\n')
		require.NoError(r.t, err)
	}
	return conn, answer
}

// line is the next line that is not empty.
func line(t *testing.T, from *bufio.Reader) string {
	t.Helper()
	for {
		text, err := from.ReadString('\n')
		require.NoError(t, err)
		if text != "\n" {
			return strings.TrimSuffix(text, "\n")
		}
	}
}

func TestSSE_KeepsQuietStreamsAlive(t *testing.T) {
	inRoom(t, transport.ConnectionOptions{}, untilDone, func(t *testing.T, r *room) {
		conn, events := r.stream("subscription")
		defer conn.Close()
		assert.Equal(t, ":", line(t, events), "at once, for those who wait for the head")
		began := time.Now()
		assert.Equal(t, ": keep-alive", line(t, events))
		assert.Equal(t, "12s", since(began))
		assert.Equal(t, ": keep-alive", line(t, events))
		assert.Equal(t, "24s", since(began))
	})
}

func TestSSE_Messages(t *testing.T) {
	inRoom(t, transport.ConnectionOptions{}, nil, func(t *testing.T, r *room) {
		answers := make(chan *graphql.Response, 3)
		r.exec.respond = func(context.Context, string) *graphql.Response { return <-answers }
		answers <- &graphql.Response{Data: []byte("{\n\"b\": 1}\n"), Errors: graphql.ErrorResponse(t.Context(), "half").Errors}
		answers <- nil
		_, events := r.stream("subscription")
		assert.Equal(t, ":", line(t, events))
		assert.Equal(t, "event: next", line(t, events))
		assert.Equal(t, `data: {"errors":[{"message":"half"}],"data":{"b":1}}`, line(t, events))
		assert.Equal(t, "event: complete", line(t, events))

		_, events = r.stream("{")
		assert.Equal(t, ":", line(t, events))
		assert.Equal(t, "event: next", line(t, events))
		assert.Equal(t, `data: {"errors":[{"message":"no"}]}`, line(t, events))
		assert.Equal(t, "event: complete", line(t, events))
		assert.Equal(t, "data: ", line(t, events))
	})
}

func TestSSE_DeadlineFollowsTheReader(t *testing.T) {
	const size = 1 << 20
	respond := func(context.Context, string) *graphql.Response {
		return data(`"` + strings.Repeat("x", size) + `"`)
	}
	for pace, whole := range map[time.Duration]bool{3 * time.Second: true, 9 * time.Second: false, 11 * time.Second: false} {
		inRoom(t, transport.ConnectionOptions{}, respond, func(t *testing.T, r *room) {
			_, events := r.stream("query")
			assert.Equal(t, whole, readSlowly(events, size, pace) >= size, "64 KiB each %s", pace)
		})
	}
	inRoom(t, transport.ConnectionOptions{}, respond, func(t *testing.T, r *room) {
		r.stream("query")
		synctest.Wait()
		assert.Equal(t, 1, r.connections.Open())
		time.Sleep(10 * time.Second)
		synctest.Wait()
		assert.Zero(t, r.connections.Open(), "who reads nothing is cut off after 10 s")
	})
}
