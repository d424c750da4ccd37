//go:build unix

package secret_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream/secret"
)

// A named pipe is read as long as somebody writes, and later nobody is waited for: the wait
// would have no end, and neither would the program.
func TestText_ANamedPipeIsNotWaitedFor(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	_, err := secret.New("", pipe, secret.Header)
	require.ErrorContains(t, err, "there is nothing in it")

	writer, err := os.OpenFile(pipe, os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = writer.WriteString("first\n")
	require.NoError(t, err)
	closed := time.AfterFunc(100*time.Millisecond, func() { _ = writer.Close() }) // it is read until then
	defer closed.Stop()
	text, err := secret.New("", pipe, secret.Header)
	require.NoError(t, err)
	time.Sleep(1100 * time.Millisecond) // it is read again
	assert.Equal(t, "first", text.Get())
}
