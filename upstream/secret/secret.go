// Package secret has texts that must not be seen, given as they are or as the name of a
// file, which is read again when it changes, as mounted secrets do.
package secret

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// maxBytes bounds what is read of a file.
	maxBytes = 4 << 10
	// recheck is how often a file is read at most. Its content is compared, and not its time:
	// a mounted secret is a symbolic link that is replaced.
	recheck = time.Second
)

// Text is a secret. It is safe for concurrent use.
type Text struct {
	file  string // "": value never changes
	check func(string) error

	mu    sync.Mutex
	value string
	read  time.Time
}

// New returns the secret that is value, or the content of the file without the line's end,
// where one is named; check says what is wrong with one. Neither error repeats the content.
func New(value, file string, check func(string) error) (*Text, error) {
	t := &Text{file: file, value: value, check: check, read: time.Now()}
	if file == "" {
		return t, check(value)
	}
	content, err := t.load()
	t.value = content
	return t, err
}

// Get is the secret as it is now. A file that cannot be read or whose content is none has
// the last good one stay: secrets are replaced while programs run.
func (t *Text) Get() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.file == "" || now.Sub(t.read) < recheck {
		return t.value
	}
	t.read = now
	if content, err := t.load(); err == nil {
		t.value = content
	}
	return t.value
}

func (t *Text) load() (string, error) {
	file, err := os.OpenFile(t.file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // nobody need write to a named pipe
	if err != nil {
		return "", err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	switch {
	case err != nil:
		return "", err
	case len(content) > maxBytes:
		return "", fmt.Errorf("%s has more than %d bytes", t.file, maxBytes)
	}
	value := strings.TrimRight(string(content), "\r\n")
	if err := t.check(value); err != nil {
		return "", fmt.Errorf("%s: %w", t.file, err)
	}
	return value, nil
}

// Header refuses what a header of HTTP cannot hold, and what is empty.
func Header(value string) error {
	if value == "" {
		return errors.New("there is nothing in it")
	}
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f }) || strings.TrimSpace(value) != value {
		return errors.New("it must be one line with no space around it")
	}
	return nil
}
