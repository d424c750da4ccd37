package http1

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLarge_WhoHasMoreThanItsFirst64KiBAsks has bodies come in each way there is.
func TestLarge_WhoHasMoreThanItsFirst64KiBAsks(t *testing.T) {
	const first = 64 << 10
	for _, size := range []int{0, 700, first - 1, first, first + 1, 700_000, 1 << 20} {
		text := strings.Repeat("x", size)
		for name, answer := range map[string]string{
			"with its length": withLength("", text),
			"in chunks":       fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", size, text),
			"until the end":   "HTTP/1.1 200 OK\r\n\r\n" + text,
			"compressed":      withLength("Content-Encoding: gzip\r\n", zipped(text)),
		} {
			if size == 0 && name == "in chunks" {
				continue // which would be two ends
			}
			t.Run(fmt.Sprintf("%d %s", size, name), func(t *testing.T) {
				s := serve(t, always(answer, false))
				c := client(t, s.url, Options{})
				asked := 0
				response, err := c.Get(t.Context(), soon(), "", func(context.Context) error { asked++; return nil })
				require.NoError(t, err)
				assert.True(t, string(response.Body) == text)
				if size > first {
					assert.NotZero(t, asked)
				}
				if size < first {
					assert.Zero(t, asked)
				}

				refused := errors.New("no room")
				response, err = c.Get(t.Context(), soon(), "", func(context.Context) error { return refused })
				if size > first {
					assert.ErrorIs(t, err, refused)
					assert.LessOrEqual(t, len(response.Body), first)
				} else if size < first {
					assert.NoError(t, err)
				}
			})
		}
	}
}

// The wait ends with the call, whose connection is not used again.
func TestLarge_TheWaitEndsWithTheCall(t *testing.T) {
	text := withLength("", strings.Repeat("x", 100_000))
	s := serve(t, func(conn net.Conn, _ int) bool {
		_, err := conn.Write([]byte(text))
		return err == nil
	})
	c := client(t, s.url, Options{})
	deadline := time.Now().Add(50 * time.Millisecond)
	_, err := c.Get(t.Context(), deadline, "", func(ctx context.Context) error {
		until, ok := ctx.Deadline()
		assert.True(t, ok)
		assert.Equal(t, deadline, until)
		<-ctx.Done()
		return ctx.Err()
	})
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	response, err := get(c)
	require.NoError(t, err)
	assert.Len(t, response.Body, 100_000)
	assert.EqualValues(t, 2, s.accepted.Load())
}
