package logging_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/serve/logging"
)

// writes is a writer that sends on what it is given.
type writes chan string

func (w writes) Write(p []byte) (int, error) {
	w <- string(p)
	return len(p), nil
}

func TestBuffer_LinesWaitForTheInterval(t *testing.T) {
	const interval = 200 * time.Millisecond
	writes := make(writes, 10)
	buffer := logging.NewBuffer(writes, interval, nil)
	begun := time.Now()
	fmt.Fprintln(buffer, "first")
	assert.Equal(t, "first\n", <-writes)
	fmt.Fprintln(buffer, "second")
	fmt.Fprintln(buffer, "third")
	rest := <-writes
	assert.GreaterOrEqual(t, time.Since(begun), interval)
	assert.True(t, strings.HasPrefix(rest, "second\n"))
	require.NoError(t, buffer.Close())
}

func TestBuffer_ManyBytesWaitForNoInterval(t *testing.T) {
	writes := make(writes, 100)
	buffer := logging.NewBuffer(writes, never, nil)
	fmt.Fprintln(buffer, "first")
	<-writes
	line := strings.Repeat("x", 1023) + "\n"
	for range 31 {
		fmt.Fprint(buffer, line)
	}
	assert.Empty(t, writes, "31 KiB wait")
	fmt.Fprint(buffer, line)
	assert.Len(t, <-writes, 32<<10)
	require.NoError(t, buffer.Close())
}

func TestBuffer_CloseLosesNothing(t *testing.T) {
	var got bytes.Buffer
	buffer := logging.NewBuffer(&got, never, nil)
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for range 1000 {
				fmt.Fprintln(buffer, "a whole line")
			}
		})
	}
	writers.Wait()
	require.NoError(t, buffer.Close())
	require.NoError(t, buffer.Close(), "twice is once")
	assert.Equal(t, strings.Repeat("a whole line\n", 8000), got.String())
}

func TestBuffer_WriteThroughLetsNothingWait(t *testing.T) {
	writes := make(writes, 10)
	buffer := logging.NewBuffer(writes, never, nil)
	fmt.Fprintln(buffer, "first")
	<-writes
	fmt.Fprintln(buffer, "second")
	buffer.WriteThrough()
	assert.Equal(t, "second\n", <-writes)
	fmt.Fprintln(buffer, "third")
	assert.Equal(t, "third\n", <-writes)
	require.NoError(t, buffer.Close())
}

// Nobody reads the pipe: lines are taken without end, in bounded memory, and what is
// missing is counted once the pipe is read.
func TestBuffer_APipeThatIsNotRead(t *testing.T) {
	read, write := io.Pipe()
	logger, buffer := logging.New(write, logging.Options{})
	const lines = 20_000 // 2.5 MB
	for i := range lines {
		logger.Info("request", slog.String("text", strings.Repeat("x", 64)), slog.Int("n", i))
	}
	assert.Error(t, buffer.Close(), "the last lines cannot be written")

	var got strings.Builder
	whole := make(chan struct{})
	go func() {
		defer close(whole)
		_, _ = io.Copy(&got, read)
	}()
	require.NoError(t, buffer.Close(), "they can now")
	write.Close()
	<-whole
	assert.Less(t, got.Len(), 3<<20/2, "no more waited than 1 MiB, beside the write under way")
	all := strings.Split(strings.TrimSpace(got.String()), "\n")
	written, last := len(all)-1, all[len(all)-1]
	assert.Less(t, written, lines)
	assert.Contains(t, last, "log lines were lost")
	assert.True(t, strings.HasSuffix(last, fmt.Sprintf(" lines=%d", lines-written)), last)
	assert.Contains(t, all[written-1], fmt.Sprintf("n=%d", written-1), "the first are kept, in order")
}

// full is a disk that can be made full: it takes half of what it is given then.
type full struct {
	writes
	now atomic.Bool
}

func (f *full) Write(p []byte) (int, error) {
	if !f.now.Load() {
		return f.writes.Write(p)
	}
	half := len(p) / 2
	_, _ = f.writes.Write(p[:half])
	return half, errors.New("no space left on device")
}

func TestBuffer_LinesThatCouldNotBeWrittenAreCounted(t *testing.T) {
	disk := &full{writes: make(writes, 10)}
	lost := make(chan int, 1)
	buffer := logging.NewBuffer(disk, never, func(lines int) { lost <- lines })
	disk.now.Store(true)
	fmt.Fprint(buffer, "1\n2\n3\n4\n")
	assert.Equal(t, "1\n2\n", <-disk.writes)
	fmt.Fprint(buffer, "5\n6\n")
	buffer.Flush()
	assert.Equal(t, "5\n", <-disk.writes)
	assert.Empty(t, lost, "nothing is said while it would be lost as well")
	disk.now.Store(false)
	fmt.Fprint(buffer, "7\n")
	buffer.Flush()
	assert.Equal(t, "7\n", <-disk.writes)
	assert.Equal(t, 3, <-lost)
	require.NoError(t, buffer.Close())
}
